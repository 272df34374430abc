// Waiting for many things at once. Python: `multiprocessing.connection.wait`.
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/native_handle.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/stop_token.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing {

/// Something that becomes ready. Made from a Process (ready when it has ended), a Sentinel, a Connection (a
/// message or the end is there), a Listener (accept() would not wait), an AsyncResult (the result is there),
/// or a native handle (readable or hung up; signalled). Copyable; does not keep alive what it was made from.
class MULTIPROCESSING_EXPORT Waitable {
 public:
  Waitable(const Process& process) : Waitable(process.sentinel()) {}
  Waitable(const Sentinel& sentinel) noexcept
      : handle_(sentinel.native_handle()), identity_(sentinel.identity()) {}
  Waitable(NativeHandle handle) noexcept : handle_(handle) {}
  Waitable(NativeHandle handle, std::uint64_t identity) noexcept : handle_(handle), identity_(identity) {}
  Waitable(NativeHandle::native_type handle) noexcept : handle_(handle) {}
  [[nodiscard]] NativeHandle native_handle() const noexcept { return handle_; }
  /// 0 if nothing tells this handle from a later one of the same number.
  [[nodiscard]] std::uint64_t identity() const noexcept { return identity_; }
  friend bool operator==(const Waitable&, const Waitable&) noexcept = default;
  /// A number is no handle by accident: say NativeHandle, or Waitable.
  template <std::integral Number>
  friend bool operator==(const Waitable&, Number) = delete;

 private:
  NativeHandle handle_;
  std::uint64_t identity_ = 0;
};

namespace detail {

/// Positions of all that are ready, ascending; empty when the time is over.
MULTIPROCESSING_EXPORT std::vector<std::size_t> wait_for_any(std::span<const Waitable> waitables,
                                                             Duration timeout, const StopToken& stop);

template <class Element>
using ready_element_t = std::conditional_t<std::copy_constructible<Element>, Element, Waitable>;

}  // namespace detail

namespace connection {

/// Waits until at least one element of the range is ready, and returns all that are; an empty vector when
/// the time is over first, and at once for an empty range. The range is walked through once. Elements that
/// cannot be copied (Process) are answered as Waitable, which compares equal to one made from them. Any
/// number of elements on every system. Throws OSError (not something that one can wait for), CancelledError.
template <class Range>
requires requires(Range& range) { Waitable(*std::begin(range)); }
auto wait(Range&& range, Duration timeout = infinite, StopToken stop = {}) {
  using Element = std::remove_cvref_t<decltype(*std::begin(range))>;
  // A filter may let others through once some are ready: what is answered is what was waited for.
  std::vector<detail::ready_element_t<Element>> elements;
  std::vector<Waitable> waitables;
  if constexpr (requires { std::ranges::size(range); }) {
    elements.reserve(std::ranges::size(range));
    waitables.reserve(std::ranges::size(range));
  }
  for (auto&& element : range) {
    elements.emplace_back(element);
    waitables.emplace_back(elements.back());
  }
  std::vector<detail::ready_element_t<Element>> ready;
  for (const std::size_t index : detail::wait_for_any(waitables, timeout, stop))
    ready.push_back(std::move(elements[index]));
  return ready;
}

inline std::vector<Waitable> wait(std::initializer_list<Waitable> waitables, Duration timeout = infinite,
                                  StopToken stop = {}) {
  return wait<std::initializer_list<Waitable>&>(waitables, timeout, stop);
}

}  // namespace connection
}  // namespace multiprocessing
