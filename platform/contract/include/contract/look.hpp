// Looking again: a wait that keeps its processor for moments before it lets the thread sleep. To be put to
// sleep and woken costs more than a peer needs that runs on another processor; whether it does, nobody knows
// beforehand, so that the caller says how long to look, and learns what came of it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "contract/clock.hpp"
#include "contract/error.hpp"

namespace multiprocessing::platform {

struct Look {
  enum class Outcome : std::uint8_t {
    not_needed,  ///< there was something at once, or nobody looked
    paid,        ///< there was something in time
    in_vain,     ///< there was nothing in time
  };
  std::chrono::nanoseconds at_most{0};
  Outcome outcome = Outcome::not_needed;
};

/// Whether to look by calls of Channel::read_some() one after the other. Not while a fault plan counts them:
/// how many there are must not depend on time. A look inside of one call is not asked.
[[nodiscard]] bool may_look() noexcept;

/// Calls `attempt`, which answers a Result, until that is anything but would_block, the time of the look is
/// over, or the deadline has passed: at least once. For backends.
template <class Attempt>
auto look_again(Look& look, Deadline deadline, Attempt attempt) {
  auto found = attempt();
  const auto nothing = [&] { return !found && found.error().condition == Condition::would_block; };
  if (!nothing()) return found;
  if (deadline.expired()) return found;
  const auto until = std::min(deadline, Deadline::after(look.at_most));
  bool over = false;
  while (nothing() && !over) {
    found = attempt();
    // Asked after the attempt: who was put off the processor meanwhile did not get it by looking.
    over = until.expired();
  }
  look.outcome = over ? Look::Outcome::in_vain : Look::Outcome::paid;
  return found;
}

}  // namespace multiprocessing::platform
