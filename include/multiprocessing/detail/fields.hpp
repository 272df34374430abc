// The fields of a plain aggregate, one by one, by Boost.PFR.
//
// Boost.PFR takes C arrays for several fields, and aggregates with base classes for ones without, so both are
// found out first. The fields are counted here as well: PFR's own count makes gcc 12 crash on a
// std::array<std::string, n>.
#pragma once

#include <multiprocessing/detail/type_list.hpp>

#include <boost/pfr/core.hpp>

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

namespace multiprocessing::detail {

// These objects are only ever asked whether they would fit. Their operators are defined because some
// constructors of the standard library are compiled on the way.

/// Converts to each base class of T, and to nothing else.
template <class T>
struct AnyBase {
  template <class Base>
  requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>) operator Base() const { std::terminate(); }
};
struct Unlike {};

template <class T, class First>
concept MadeFrom = requires {
  T{First{}};
};

/// A first field that takes anything would take AnyBase too; such a field takes Unlike as well.
template <class T>
concept HasBase = MadeFrom<T, AnyBase<T>> && !MadeFrom<T, Unlike>;

// A field is made in place from a value: from a reference it would be copied, and clang compiles the copying
// of a std::vector whose elements cannot be copied when it is only asked. Both qualifiers, so that neither is
// preferred.
template <std::size_t>
struct AnyValue {
  template <class Field>
  operator Field() const&& noexcept {
    std::terminate();
  }
  template <class Field>
  operator Field() const& noexcept {
    std::terminate();
  }
};

template <class T, std::size_t... i>
consteval bool takes(std::index_sequence<i...>) {
  return requires { T{AnyValue<i>{}...}; };
}

/// How many initializers T takes.
template <class T, std::size_t count = 0>
consteval std::size_t count_initializers() {
  if constexpr (takes<T>(std::make_index_sequence<count + 1>())) {
    return count_initializers<T, count + 1>();
  } else {
    return count;
  }
}
template <class T>
inline constexpr std::size_t field_count = count_initializers<T>();

/// A C array takes several initializers. Empty braces in the place of its first one fill all of it, and then
/// the initializers behind it are too many.
template <class T, std::size_t... before, std::size_t... behind>
consteval bool one_field_at(std::index_sequence<before...>, std::index_sequence<behind...>) {
  return requires { T{AnyValue<before>{}..., {}, AnyValue<behind>{}...}; };
}
template <class T, std::size_t... i>
consteval bool each_is_one_field(std::index_sequence<i...>) {
  constexpr std::size_t count = sizeof...(i);
  return (one_field_at<T>(std::make_index_sequence<i>(), std::make_index_sequence<count - 1 - i>()) && ...);
}
template <class T>
inline constexpr bool has_array = !each_is_one_field<T>(std::make_index_sequence<field_count<T>>());

/// Why an aggregate is not taken apart.
enum class Flaw { none, base, not_makeable, array, too_many };

/// As many as Boost.PFR knows.
inline constexpr std::size_t max_fields = 100;

template <class T>
consteval Flaw find_aggregate_flaw() {
  if constexpr (HasBase<T>) {
    return Flaw::base;
  } else if constexpr (!requires { T{}; }) {
    return Flaw::not_makeable;
  } else if constexpr (has_array<T>) {
    return Flaw::array;
  } else if constexpr (field_count<T> > max_fields) {
    return Flaw::too_many;
  } else {
    return Flaw::none;
  }
}
template <class T>
inline constexpr Flaw aggregate_flaw = find_aggregate_flaw<T>();

/// References to the fields of an aggregate without flaw.
template <class T>
constexpr auto tie_fields(T& value) noexcept {
  constexpr std::size_t count = field_count<std::remove_const_t<T>>;
  return ::boost::pfr::detail::tie_as_tuple(value, ::boost::pfr::detail::size_t_<count>());
}

template <class T, class F>
void for_each_field(T& value, F&& visit) {
  [[maybe_unused]] const auto fields = tie_fields(value);
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    (visit(::boost::pfr::detail::sequence_tuple::get<i>(fields)), ...);
  }
  (std::make_index_sequence<field_count<std::remove_const_t<T>>>());
}

template <template <class...> class Tuple, class... References>
consteval auto referred_types(Type<Tuple<References...>>) {
  return TypeList<std::remove_reference_t<References>...>();
}

/// The types of the fields, const where they are.
template <class T>
using Fields = decltype(referred_types(Type<decltype(tie_fields(std::declval<T&>()))>()));

}  // namespace multiprocessing::detail
