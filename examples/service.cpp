// A service that Python programs call: a request is some lines of text as bytes, and so is the answer. Run
// with an address, as host and port or as the path of a unix socket, it serves until a client says "bye";
// without one it is its own client. In Python:
//
//   from multiprocessing.connection import Client
//   with Client(("localhost", 6000), authkey=b"our secret") as connection:
//       connection.send_bytes(b"to be or not to be")
//       print(connection.recv_bytes().decode())
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <list>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

constexpr std::size_t longest_request = 64 * 1024 * 1024;
constexpr std::chrono::seconds time_for_a_message(20);

std::vector<std::byte> key() {
  const auto bytes = mp::ByteView("our secret").span();
  return {bytes.begin(), bytes.end()};
}

std::string to_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// How often each word occurs, a line for each.
std::string count_words(const std::string& text) {
  std::map<std::string, int> counts;
  std::istringstream in(text);
  for (std::string word; in >> word;) ++counts[word];
  std::ostringstream out;
  for (const auto& [word, count] : counts) out << word << ' ' << count << '\n';
  return out.str();
}

/// What a worker makes of the request. What goes wrong there is an answer as well.
std::string answer(const std::string& request, mp::Pool& pool) {
  try {
    return pool.apply(count_words, request);
  } catch (const mp::WorkerDied& died) {
    return "error: " + died.reason();
  } catch (const std::exception& error) {
    return std::string("error: ") + error.what();
  }
}

/// Answers the request that has come; closes the connection of a client that has left, sends nonsense, or
/// stops in the middle. False if it said that all is over.
bool serve_client(mp::Connection& client, mp::Pool& pool) {
  try {
    const std::string request =
        to_text(client.recv_bytes(longest_request, mp::TimeLimit(time_for_a_message).token()));
    if (request == "bye") return false;
    const std::string text = answer(request, pool);
    client.send_bytes(text, 0, {}, mp::TimeLimit(time_for_a_message).token());
  } catch (const mp::EOFError&) {
    client.close();
  } catch (const mp::CancelledError&) {
    client.close();
  } catch (const mp::OSError& error) {
    std::cerr << "a client: " << error.what() << std::endl;
    client.close();
  }
  return true;
}

void take_in(mp::Listener& listener, std::list<mp::Connection>& clients) {
  try {
    clients.push_back(listener.accept());
  } catch (const mp::AuthenticationError& error) {
    std::cerr << "a client: " << error.what() << std::endl;
  } catch (const mp::OSError& error) {  // no descriptors, say: there will be some again
    std::cerr << "nobody is let in: " << error.what() << std::endl;
  }
}

/// One request after the other, of whoever has one: who is silent holds up nobody.
void serve(mp::Listener& listener) {
  mp::Pool pool(1);
  std::list<mp::Connection> clients;
  for (bool open = true; open;) {
    std::vector<mp::Waitable> all = {listener};
    all.insert(all.end(), clients.begin(), clients.end());
    const auto ready = mp::connection::wait(all);
    const auto is_ready = [&](const mp::Waitable& one) { return std::ranges::count(ready, one) != 0; };
    for (auto& client : clients)
      if (open && is_ready(client)) open = serve_client(client, pool);
    if (open && is_ready(listener)) take_in(listener, clients);
    clients.remove_if([](const mp::Connection& client) { return client.closed(); });
  }
}

/// What a client in C++ looks like.
void ask(mp::Address address) {
  mp::Connection service =
      mp::Client(std::move(address), {.authkey = key(), .protocol = mp::Protocol::python});
  service.send_bytes("to be or not to be");
  std::cout << to_text(service.recv_bytes()) << std::flush;
  service.send_bytes("bye");
}

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  mp::Address address("localhost", 0);
  if (argc == 2) address = mp::Address(std::string(argv[1]));
  if (argc == 3) address = mp::Address(argv[1], std::stoi(argv[2]));

  mp::Listener listener(address, {.authkey = key(), .protocol = mp::Protocol::python});
  if (argc > 1) {
    std::cout << "ready at " << listener.address() << std::endl;
    serve(listener);
    return 0;
  }
  mp::Process client(ask, listener.address());
  client.start();
  serve(listener);
  client.join();
  return client.exitcode().value();
}
