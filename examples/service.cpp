// A service that Python programs call: a request is some lines of text as bytes, and so is the answer. Run
// with an address, as host and port or as the path of a unix socket, it serves until a client says "bye";
// without one it is its own client. In Python:
//
//   from multiprocessing.connection import Client
//   with Client(("localhost", 6000), authkey=b"our secret") as connection:
//       connection.send_bytes(b"to be or not to be")
//       print(connection.recv_bytes().decode())
#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

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

/// Answers one client until it leaves. False if it said that all is over. Each request is answered in a
/// worker, so that one that goes wrong is an answer as well.
bool serve_client(mp::Connection client, mp::Pool& pool) {
  try {
    for (;;) {
      const std::string request = to_text(client.recv_bytes());
      if (request == "bye") return false;
      try {
        client.send_bytes(pool.apply(count_words, request));
      } catch (const mp::WorkerDied& died) {
        client.send_bytes("error: " + died.reason());
      }
    }
  } catch (const mp::EOFError&) {
  } catch (const mp::ConnectionError& error) {
    std::cerr << "a client: " << error.what() << std::endl;
  }
  return true;
}

void serve(mp::Listener& listener) {
  mp::Pool pool(1);
  for (bool open = true; open;) try {
      open = serve_client(listener.accept(), pool);
    } catch (const mp::AuthenticationError& error) {
      std::cerr << "a client: " << error.what() << std::endl;
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
