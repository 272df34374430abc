// mp::fn: a function as a value that needs no data, for targets that are named rather than made.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

namespace multiprocessing {

/// Calls V; travels inside its type. `mp::fn<&Foo::bar>` is called with a Foo first, which goes to the child
/// by value; `mp::fn<static_cast<int (*)(int)>(f)>` picks one of an overload set.
template <auto V>
struct Fn {
  template <class... Args>
  requires std::is_invocable_v<decltype(V), Args...>
  constexpr decltype(auto) operator()(Args&&... args) const
      noexcept(std::is_nothrow_invocable_v<decltype(V), Args...>) {
    return std::invoke(V, std::forward<Args>(args)...);
  }
};

template <auto V>
inline constexpr Fn<V> fn{};

}  // namespace multiprocessing
