// Whether to look again before a wait lets its thread sleep. That pays where the peer runs on another
// processor and answers soon; on the same processor it only keeps the peer from running, and where nothing
// comes for long it burns time. Nobody knows which it is, so what came of it lately decides.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "contract/look.hpp"

namespace multiprocessing::runtime {

/// One for each thing that is waited for. It looks in every wait as long as one look in five pays; both sides
/// have to be awake for that, so that single ones in vain say little. When none does, it looks ever more
/// seldom, down to once in some thousand waits, and begins anew with the first that pays. Not thread-safe; no
/// clock inside.
class Attention {
 public:
  /// A sleep and a wake-up cost about as much.
  static constexpr std::chrono::microseconds span{50};

  /// What to do in the next wait. A look of no length is none.
  [[nodiscard]] platform::Look next() noexcept {
    if (rest_ == 0) return {span};
    --rest_;
    return {};
  }
  /// What came of it.
  void note(const platform::Look& look) noexcept {
    switch (look.outcome) {
      case platform::Look::Outcome::not_needed:
        break;
      case platform::Look::Outcome::paid:
        credit_ = std::min(credit_ + earned, most_credit);
        pause_ = shortest;
        break;
      case platform::Look::Outcome::in_vain:
        if (credit_ > 0) {
          --credit_;
          break;
        }
        rest_ = pause_;
        pause_ = std::min(pause_ * step, longest);
        break;
    }
  }

 private:
  static constexpr std::uint32_t shortest = 1, longest = 4096, step = 8;
  static constexpr std::uint32_t earned = 4, most_credit = 16;
  std::uint32_t rest_ = 0;          ///< waits that are left without a look
  std::uint32_t pause_ = shortest;  ///< how many there will be after the next look in vain
  std::uint32_t credit_ = 0;        ///< looks in vain that change nothing
};

}  // namespace multiprocessing::runtime
