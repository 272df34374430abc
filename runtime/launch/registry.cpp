// The processes that this one has started: who runs, who has ended unseen, and what happens to them at the
// end of the program.
#include <algorithm>
#include <array>
#include <atomic>
#include <multiprocessing/freeze_support.hpp>
#include <new>
#include <set>
#include <utility>

#include "launch/exit_rule.hpp"
#include "launch/process_state.hpp"
#include "launch/registry_mutex.hpp"
#include "launch/self.hpp"
#include "support/deadline.hpp"

namespace multiprocessing::runtime {

std::mutex& registry_mutex() noexcept {
  static std::mutex& instance = *new std::mutex;  // outlives every static Process of the application
  return instance;
}

namespace {
std::atomic<void (*)()> prepare_exit{nullptr};
std::atomic<void (*)()> settle_exit{nullptr};
std::atomic<bool> exit_begun{false};
}  // namespace

void at_exit_rule(void (*prepare)()) noexcept { prepare_exit = prepare; }
void after_exit_rule(void (*settle)()) noexcept { settle_exit = settle; }
bool exit_rule_has_begun() noexcept { return exit_begun; }

}  // namespace multiprocessing::runtime

namespace multiprocessing::detail {

using runtime::registry_mutex;

struct Registry::State {
  std::vector<std::shared_ptr<ProcessState>> running;
  std::set<ProcessState*> holding;  ///< those, and all that hold handles of a child that ended, or will soon
  std::set<InFlight*> in_flight;
  std::vector<LetGo> let_go;
  std::size_t next_look = 0;
  std::vector<std::shared_ptr<ProcessState>> abandoned;  ///< a forked child's memory of its parent's children
};

namespace {
std::atomic<bool> registry_exists{false};
}

Registry::Registry() : state_(std::make_unique<State>()) { registry_exists = true; }

Registry& Registry::instance() {
  static Registry& instance = *new Registry;
  return instance;
}

void Registry::reserve(ProcessState* state) {
  // Whoever holds a handle has a place in each of the lists, whether he runs or not.
  const std::size_t places = state_->holding.size() + 1;
  auto& running = state_->running;
  if (running.capacity() < places) running.reserve(2 * places);
  // A forked child puts them there and must not need memory for it.
  auto& abandoned = state_->abandoned;
  const std::size_t needed = abandoned.size() + places;
  if (abandoned.capacity() < needed) abandoned.reserve(2 * needed);
  state_->holding.insert(state);
}

void Registry::add(std::shared_ptr<ProcessState> state) noexcept {
  state_->running.push_back(std::move(state));
}

void Registry::add(InFlight* start) { state_->in_flight.insert(start); }
void Registry::remove(InFlight* start) noexcept { state_->in_flight.erase(start); }

void Registry::remove(ProcessState* state) noexcept {
  auto& running = state_->running;
  const auto found =
      std::find_if(running.begin(), running.end(), [=](const auto& each) { return each.get() == state; });
  if (found != running.end()) {
    // The caller holds the mutex and a reference of its own, so that this never destroys the state.
    std::swap(*found, running.back());
    running.pop_back();
  } else {
    state_->holding.erase(state);
  }
}

void Registry::look_at_some() noexcept {
  // Ended children that nobody asks about are reaped a few at each start, so that they neither pile up nor
  // make starting slow.
  constexpr std::size_t at_once = 4;
  std::array<std::shared_ptr<ProcessState>, at_once> kept;
  const std::scoped_lock lock(registry_mutex());
  for (auto& looked_at : kept) {
    if (state_->running.empty()) return;
    state_->next_look = (state_->next_look + 1) % state_->running.size();
    looked_at = state_->running[state_->next_look];
    try {
      looked_at->refresh();
    } catch (const std::bad_alloc&) {
      // The next start looks again.
    }
  }
}

std::vector<std::shared_ptr<ProcessState>> Registry::active() {
  std::vector<std::shared_ptr<ProcessState>> all;
  {
    const std::scoped_lock lock(registry_mutex());
    all = state_->running;
    for (const auto& state : all) state->refresh();
  }
  std::erase_if(
      all, [](const auto& state) { return !state->owned() || state->advance() || state->expected_word(); });
  return all;
}

void Registry::lock() noexcept { registry_mutex().lock(); }
void Registry::unlock() noexcept { registry_mutex().unlock(); }

void Registry::at_fork_in_child(LetGo let_go) {
  const std::scoped_lock lock(registry_mutex());
  auto& known = state_->let_go;
  if (std::find(known.begin(), known.end(), let_go) == known.end()) known.push_back(let_go);
}

void Registry::forget_in_child(const InFlight* own) noexcept {
  for (const auto let_go : state_->let_go) let_go();
  for (const InFlight* start : state_->in_flight)
    if (start != own) start->close_copies();
  state_->in_flight.clear();
  for (ProcessState* state : state_->holding) state->forget_handles();
  state_->holding.clear();
  // Dropping the last reference here would lock the mutex again.
  auto& abandoned = state_->abandoned;
  abandoned.insert(abandoned.end(), state_->running.begin(), state_->running.end());
  state_->running.clear();
}

namespace {

/// At the end of the program there is nobody to tell. One child that cannot be stopped or joined shall not
/// keep the rule from the others; it ends with the control channel.
template <class Step>
void quietly(Step step) noexcept {
  try {
    step();
  } catch (...) {
  }
}

/// True, too, of one whose report finds no memory: it is looked at again while it is joined.
bool has_to_end(ProcessState& child) noexcept {
  try {
    return !child.advance() && !child.expected_word();
  } catch (...) {
    return true;
  }
}

void end_daemon(ProcessState& daemon, platform::Deadline deadline) {
  if (!daemon.join_reading(deadline, {})) daemon.send(platform::StopSignal::kill, "kill");
}

}  // namespace

void Registry::run_exit_rule() noexcept {
  constexpr std::chrono::seconds grace(5);
  std::vector<std::shared_ptr<ProcessState>> children;
  quietly([&] {
    const std::scoped_lock lock(registry_mutex());
    children = state_->running;
  });
  std::erase_if(children, [](const auto& child) { return !child->owned() || !has_to_end(*child); });
  // What they still want to say or hear nobody can answer any more: they shall not wait for it.
  for (const auto& child : children) child->close_streams();
  for (const auto& child : children)
    quietly([&] {
      if (child->daemon()) child->send(platform::StopSignal::terminate, "terminate");
    });
  const auto deadline = runtime::deadline_after(grace);
  for (const auto& child : children)
    quietly([&] {
      if (child->daemon()) end_daemon(*child, deadline);
    });
  for (const auto& child : children) quietly([&] { child->join_reading(platform::Deadline::never(), {}); });
}

void run_exit_rule() noexcept {
  runtime::exit_begun = true;
  if (auto* const prepare = runtime::prepare_exit.load()) quietly(prepare);
  // Most children start nothing.
  if (registry_exists) quietly([] { Registry::instance().run_exit_rule(); });
  if (auto* const settle = runtime::settle_exit.load()) quietly(settle);
}

}  // namespace multiprocessing::detail
