// How long a call may wait.
#pragma once

#include <compare>
#include <thread>  // brings time spans along, without the calendars of <chrono>

namespace multiprocessing {

namespace detail {

/// The span in nanoseconds, or the nearest there is.
template <class Rep, class Period>
constexpr std::chrono::nanoseconds saturated(std::chrono::duration<Rep, Period> span) noexcept {
  using std::chrono::nanoseconds;
  const auto wide = std::chrono::duration<long double, std::nano>(span).count();
  if (wide != wide) return nanoseconds::zero();
  if (wide >= static_cast<long double>((nanoseconds::max)().count())) return (nanoseconds::max)();
  if (wide <= static_cast<long double>((nanoseconds::min)().count())) return (nanoseconds::min)();
  return nanoseconds(static_cast<nanoseconds::rep>(wide));
}

}  // namespace detail

/// A time span that every chrono duration turns into by itself, `duration<double>` included. What does
/// not fit is `infinite`; a span that is zero or negative means "do not wait". Monotonic clock.
class Duration {
 public:
  /// Saturates; not-a-number counts as zero.
  template <class Rep, class Period>
  constexpr Duration(std::chrono::duration<Rep, Period> span) noexcept
      : nanoseconds_(detail::saturated(span)) {}

  [[nodiscard]] static constexpr Duration unlimited() noexcept {
    return Duration((std::chrono::nanoseconds::max)());
  }
  [[nodiscard]] constexpr bool is_infinite() const noexcept {
    return nanoseconds_ == (std::chrono::nanoseconds::max)();
  }
  [[nodiscard]] constexpr std::chrono::nanoseconds nanoseconds() const noexcept { return nanoseconds_; }
  friend constexpr bool operator==(Duration, Duration) = default;
  // By number, since libc++ orders spans in <chrono> alone.
  friend constexpr std::strong_ordering operator<=>(Duration left, Duration right) noexcept {
    return left.nanoseconds_.count() <=> right.nanoseconds_.count();
  }

 private:
  std::chrono::nanoseconds nanoseconds_;
};

/// Waits for ever.
inline constexpr Duration infinite = Duration::unlimited();

}  // namespace multiprocessing
