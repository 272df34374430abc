// ctest: timeout=300
// Starting a process where memory is refused at each place where some is asked for: it starts, or the caller
// is told and no child is left that nobody knows of.
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <new>
#include <string_view>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "test_support/refused_memory.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace {

constexpr long any_number = 1'000'000'000;
/// How many more requests of the thread that starts are met; the one behind them is not.
thread_local long met = any_number;
int here = 0;  ///< forked children begin with a copy of `met`, and have all the memory they want

}  // namespace

bool mp::test_support::is_refused(std::size_t) noexcept {
  return met < any_number && ::getpid() == here && met-- == 0;
}

namespace {

void end() {}
/// Ends neither with its parent nor with the channel to it.
void stay() {
  ::alarm(200);  // but one that was lost shall not outlive the test for long
  for (;;) ::pause();
}

bool told_wrongly = false;  ///< a start threw, and there is a child all the same

/// Whether the start was refused.
bool start(mp::Process& p, long planned) {
  bool refused = false;
  met = planned;
  try {
    p.start();
  } catch (const std::bad_alloc&) {
    refused = true;
    told_wrongly = told_wrongly || p.pid();
  }
  refused = refused || met < 0;
  met = any_number;
  return refused;
}

bool has_children() noexcept {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// What the library has dropped it reaps when it starts the next; children that nobody knows stay.
bool all_are_reaped() {
  for (int i = 0; i < 500; ++i) {
    mp::SpawnProcess p(end);
    p.start();
    p.join();
    if (!has_children()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

/// How often memory was refused, or -1 if something went wrong.
int refuse_each(mp::Context& context, mp::OnParentDeath then) {
  const bool stays = then == mp::OnParentDeath::keep_running;
  for (int planned = 0;; ++planned) {
    auto p = context.Process(mp::ProcessOptions{.on_parent_death = then}, stays ? stay : end);
    const bool refused = start(p, planned);
    if (p.pid() && stays) p.kill();
    if (p.pid()) p.join();
    if (!mp::active_children().empty()) return -1;
    if (!refused) return planned;
  }
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  here = ::getpid();
  mp::get_logger().set_level(mp::Level::info);
  mp::set_log_sink([](mp::Level, std::string_view) {});
  bool good = true;
  for (const char* method : {"spawn", "fork"})
    for (const auto then : {mp::OnParentDeath::end, mp::OnParentDeath::keep_running}) {
      auto& context = mp::get_context(method);
      auto first = context.Process(end);  // what is made once is there
      first.start();
      first.join();
      const int refused = refuse_each(context, then);
      const bool reaped = all_are_reaped();
      std::printf("%s: %d refusals, %s%s\n", method, refused, reaped ? "nothing left" : "children left",
                  told_wrongly ? ", and a start that failed has a child" : "");
      good = good && refused > 0 && reaped && !told_wrongly;
    }
  return mp::test_support::verdict(good ? 0 : 1);
}

#endif
