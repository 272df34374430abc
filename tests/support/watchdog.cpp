// The watchdog: one thread that sleeps until the limit of what is watched, then prints all notes and aborts.
#include "test_support/watchdog.hpp"

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "contract/process.hpp"

namespace multiprocessing::test_support {
namespace {

using Clock = std::chrono::steady_clock;

struct Watch {
  std::mutex mutex;
  std::condition_variable changed;
  std::condition_variable settled;
  unsigned long long changes = 0;
  unsigned long long seen = 0;  // how many of the changes the thread knows
  std::string name;
  std::optional<Clock::time_point> expires;
  bool running = false;
  std::map<unsigned long long, std::string> notes;
  unsigned long long next_note = 0;
};

// Never destroyed: its thread lives as long as the program.
Watch& watch() {
  static Watch& instance = *new Watch;
  return instance;
}

[[noreturn]] void give_up(const Watch& state) {
  std::fprintf(stderr, "watchdog: process %d: \"%s\" took too long\n", platform::current_pid(),
               state.name.c_str());
  if (state.notes.empty()) std::fprintf(stderr, "watchdog: nobody left a note of what he waits for\n");
  for (const auto& [id, what] : state.notes) std::fprintf(stderr, "watchdog: waiting for %s\n", what.c_str());
  std::fflush(stderr);
  std::abort();
}

void stand_guard() {
  Watch& state = watch();
  std::unique_lock lock(state.mutex);
  for (;;) {
    state.seen = state.changes;
    state.settled.notify_all();
    if (!state.expires) {
      state.changed.wait(lock);
    } else if (Clock::now() < *state.expires) {
      const auto until = *state.expires;  // a copy: the wait reads it while others may change it
      state.changed.wait_until(lock, until);
    } else {
      give_up(state);
    }
  }
}

// Returns when the thread sleeps again: a fork that came while it holds the mutex would make a child whose
// notes wait for ever. In a forked child there is no such thread, so nobody waits for it long.
void tell(Watch& state, std::unique_lock<std::mutex>& lock) {
  ++state.changes;
  state.changed.notify_all();
  state.settled.wait_for(lock, std::chrono::seconds(1), [&] { return state.seen == state.changes; });
}

}  // namespace

bool slow() {
  static const bool answer = [] {
    for (const char* name :
         {"MULTIPROCESSING_TEST_EMULATED", "MULTIPROCESSING_TEST_LAUNCHER", "MULTIPROCESSING_SANITIZED"})
      if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return true;
    return false;
  }();
  return answer;
}

std::chrono::seconds time_limit() { return std::chrono::seconds(slow() ? 180 : 60); }

platform::Deadline patience() { return platform::Deadline::after(time_limit() / 2); }

void watch_over(std::string name, std::chrono::seconds limit) {
  Watch& state = watch();
  std::unique_lock lock(state.mutex);
  state.name = std::move(name);
  state.expires = Clock::now() + limit;
  if (!std::exchange(state.running, true)) std::thread(stand_guard).detach();
  tell(state, lock);
}

void watch_ends() {
  Watch& state = watch();
  std::unique_lock lock(state.mutex);
  state.expires.reset();
  tell(state, lock);
}

std::string watched_name() {
  Watch& state = watch();
  const std::lock_guard lock(state.mutex);
  return state.name;
}

WaitingFor::WaitingFor(std::string what) {
  Watch& state = watch();
  const std::lock_guard lock(state.mutex);
  id_ = state.next_note++;
  state.notes.emplace(id_, std::move(what));
}

WaitingFor::~WaitingFor() {
  Watch& state = watch();
  const std::lock_guard lock(state.mutex);
  state.notes.erase(id_);
}

}  // namespace multiprocessing::test_support
