// Time limits of blocking calls. Every one is an absolute point on the monotonic clock, so that a wait
// that is interrupted and taken up again does not grow.
#pragma once

#include <chrono>

namespace multiprocessing::platform {

/// Monotonic; unrelated to the time of day. Header-only, no failure.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// Waits for ever.
  [[nodiscard]] static constexpr Deadline never() noexcept { return Deadline(Clock::time_point::max()); }
  /// Has passed already: look, do not wait.
  [[nodiscard]] static constexpr Deadline now() noexcept { return Deadline(Clock::time_point::min()); }
  /// `span` from now; a negative span is now(), one too long for the clock is never().
  [[nodiscard]] static Deadline after(std::chrono::nanoseconds span) noexcept {
    if (span <= std::chrono::nanoseconds::zero()) return now();
    const auto current = Clock::now();
    if (Clock::time_point::max() - current <= span) return never();
    return Deadline(current + std::chrono::duration_cast<Clock::duration>(span));
  }

  [[nodiscard]] constexpr bool is_never() const noexcept { return at_ == Clock::time_point::max(); }
  [[nodiscard]] bool expired() const noexcept { return !is_never() && remaining().count() == 0; }
  /// What is left, never negative; the largest value for never().
  [[nodiscard]] std::chrono::nanoseconds remaining() const noexcept {
    if (is_never()) return std::chrono::nanoseconds::max();
    if (at_ == Clock::time_point::min()) return std::chrono::nanoseconds::zero();
    const auto current = Clock::now();
    return current >= at_ ? std::chrono::nanoseconds::zero()
                          : std::chrono::duration_cast<std::chrono::nanoseconds>(at_ - current);
  }
  /// Milliseconds left, rounded up and capped at one day, so that every system call takes them; -1 for
  /// never(). A caller whose wait ends before expired() waits again.
  [[nodiscard]] int remaining_milliseconds() const noexcept {
    if (is_never()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(remaining());
    constexpr std::chrono::milliseconds day = std::chrono::hours(24);
    return static_cast<int>((left < day ? left : day).count());
  }
  friend constexpr bool operator==(Deadline, Deadline) = default;
  friend constexpr bool operator<(Deadline left, Deadline right) noexcept { return left.at_ < right.at_; }

 private:
  explicit constexpr Deadline(Clock::time_point at) noexcept : at_(at) {}
  Clock::time_point at_;
};

}  // namespace multiprocessing::platform
