// ctest: timeout=300 cost=15 labels=slow
// Fails the N-th call of every kind while a connection travels to a child, as an argument and through another
// connection, and while a client meets a listener: each failure is reported or recovered from, nothing leaks,
// nothing hangs.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "contract/fault.hpp"
#include "injection.hpp"
#include "sweeping.hpp"

namespace faults_connection_sweep {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using faults::demand_equal;
using faults::WrongOutcome;
using platform::Call;
using namespace std::chrono_literals;

/// In a child: what comes with the connection that it is sent goes back by it.
void answer_by_another(mp::Connection line) {
  auto other = line.recv<mp::Connection>();
  other.send(other.recv<int>() + 1);
}

/// A connection travels as an argument, and another one through that.
void travels(mp::Context& context) {
  auto [line, childs_line] = mp::Pipe();
  auto [ours, theirs] = mp::Pipe();
  auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, answer_by_another,
                           std::move(childs_line));
  p.start();
  line.send(theirs);
  theirs.close();
  ours.send(41);
  demand_equal(ours.recv<int>(), 42, "answer of the child");
  p.join();
  if (p.exitcode() != 0 && !faults::injected_in_child())
    throw WrongOutcome{"wrong end of the child: " + p.exit_reason()};
}

std::vector<std::byte> key() { return std::vector<std::byte>(16, std::byte{7}); }

void meet(const mp::Address& address, mp::Protocol protocol) {
  mp::Listener listener(address, {.authkey = key(), .protocol = protocol});
  static_cast<void>(mp::connection::wait({listener}, 0s));  // from here on peers are heard
  auto client = mp::Client(listener.address(), {.authkey = key(), .protocol = protocol});
  // Whoever was told that he is in is served, or sees that he is not.
  const auto ready = mp::connection::wait({listener, client});
  if (ready.at(0) == mp::Waitable(client)) {
    static_cast<void>(client.recv<int>());
    throw WrongOutcome{"a word that nobody has said"};
  }
  auto server = listener.accept();
  server.send(std::string(1000, 'x'));
  demand_equal(client.recv<std::string>().size(), std::size_t{1000}, "size of a message");
  client.send(5);
  client.close();
  demand_equal(server.recv<int>(), 5, "answer");
}

void meet_here(mp::Context&) { meet({}, mp::Protocol::native); }
void meet_on_a_port(mp::Context&) { meet({"127.0.0.1", 0}, mp::Protocol::native); }
void meet_as_python_does(mp::Context&) { meet({"127.0.0.1", 0}, mp::Protocol::python); }

/// Whose peer has failed hears its end, or that it did not prove itself.
bool reports_or_end(const faults::Fault& fault) {
  try {
    throw;
  } catch (const mp::EOFError&) {
    return true;
  } catch (const mp::AuthenticationError&) {
    return true;
  } catch (...) {
    return faults::reports(fault);
  }
}

std::set<faults::Row> reached;

bool has_reached(Call call) {
  for (const auto& row : reached)
    if (std::get<Call>(row) == call) return true;
  return false;
}

TEST_SUITE("faults.connection_sweep") {
  TEST_CASE("any one call fails while a connection travels through another one") {
    faults::sweep(travels, reached, reports_or_end);
  }
  TEST_CASE("any one call fails while a client meets a listener") {
    for (const auto scenario : {meet_here, meet_on_a_port, meet_as_python_does})
      faults::sweep_once(scenario, reached, reports_or_end);
  }
  TEST_CASE("what connections and listeners are made of was made to fail") {
    if (reached.empty()) return;  // only some of the cases were asked for
    for (const Call call : {Call::channel_pair, Call::channel_read, Call::channel_write, Call::wait_any,
                            Call::listener_listen, Call::listener_accept, Call::connect}) {
      INFO(std::string(platform::fault_row(call).name));
      CHECK(has_reached(call));
    }
  }
}

}  // namespace faults_connection_sweep
