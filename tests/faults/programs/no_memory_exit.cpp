// ctest: timeout=300
// A process that ends while one of its children has told more than there is memory for: the others are
// waited for all the same.
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "test_support/refused_memory.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace {

constexpr std::size_t large = 4000;
std::atomic<bool> exhausted{false};

}  // namespace

bool mp::test_support::is_refused(std::size_t size) noexcept { return exhausted && size >= large; }

namespace {

void tell_much() { throw std::runtime_error(std::string(2 * large, 'x')); }

void take_a_while(mp::Connection line) {
  const auto parent = mp::parent_process();
  line.send(std::string(parent->join(500ms) ? "left alone" : "waited for"));
}

void leave_children(mp::Connection line) {
  // They outlive this function: static objects are destroyed after the rule.
  static mp::SpawnProcess talker(mp::ProcessOptions{.standard_error = mp::Stdio::null}, tell_much);
  static mp::SpawnProcess slow(mp::ProcessOptions{.on_parent_death = mp::OnParentDeath::keep_running},
                               take_a_while, std::move(line));
  talker.start();
  slow.start();
  mp::connection::wait({talker.sentinel()});
  exhausted = true;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  auto [ours, theirs] = mp::Pipe();
  mp::SpawnProcess p(leave_children, std::move(theirs));
  p.start();
  const auto answer = ours.recv<std::string>();
  p.join();
  std::printf("%s, %s\n", answer.c_str(), p.exit_reason().c_str());
  return mp::test_support::verdict(answer == "waited for" && p.exitcode() == 0 ? 0 : 1);
}

#endif
