// May a value of this type travel to another process? A closed, recursive rule over Kind: what is not known
// to be right is refused at compile time, before cereal or Boost.PFR sees the type, with the type to blame
// and the cure.
#pragma once

#include <multiprocessing/detail/fields.hpp>
#include <multiprocessing/detail/kind.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace multiprocessing::detail {

// --- the search for the type to blame ---

template <class T, class... Open>
consteval auto find_offender();

/// The first type of the list that cannot travel; void if all can.
template <class... Open>
consteval auto first_offender(TypeList<>, TypeList<Open...>) {
  return Type<void>();
}
template <class First, class... Rest, class... Open>
consteval auto first_offender(TypeList<First, Rest...>, TypeList<Open...> open) {
  using Found = decltype(find_offender<First, Open...>());
  if constexpr (std::is_void_v<typename Found::type>) {
    return first_offender(TypeList<Rest...>(), open);
  } else {
    return Found();
  }
}

/// What a value of T consists of, where that decides.
template <class T, Kind kind>
consteval auto find_parts() {
  if constexpr (kind == Kind::sequence || kind == Kind::set || kind == Kind::optional ||
                kind == Kind::array || kind == Kind::complex) {
    return TypeList<typename T::value_type>();
  } else if constexpr (kind == Kind::map) {
    return TypeList<typename T::key_type, typename T::mapped_type>();
  } else if constexpr (kind == Kind::product || kind == Kind::variant) {
    return TemplateArguments<T>();
  } else if constexpr (kind == Kind::unique) {
    return TypeList<typename T::element_type>();
  } else if constexpr (kind == Kind::duration) {
    return TypeList<typename T::rep>();
  } else if constexpr (kind == Kind::time_point) {
    return TypeList<typename T::duration>();
  } else if constexpr (kind == Kind::aggregate) {
    return Fields<T>();
  } else {
    return TypeList<>();
  }
}
template <class T>
using Parts = decltype(find_parts<T, kind_of<T>>());

/// Through a unique_ptr to a base class the rest of the object would be cut off.
template <class T>
inline constexpr bool would_be_sliced = false;
template <class T>
inline constexpr bool would_be_sliced<std::unique_ptr<T>> = std::is_polymorphic_v<T> && !std::is_final_v<T>;

/// Open: the aggregates that are being looked at. One that contains itself (through a container) travels if
/// the rest of it does.
template <class T, class... Open>
consteval auto find_offender() {
  constexpr Kind kind = kind_of<T>;
  if constexpr (std::is_const_v<T> || kind == Kind::refused || would_be_sliced<T>) {
    return Type<T>();
  } else if constexpr ((std::is_same_v<T, Open> || ...)) {
    return Type<void>();
  } else if constexpr (kind == Kind::own && !Makeable<T>) {
    return Type<T>();
  } else if constexpr (kind == Kind::aggregate) {
    if constexpr (aggregate_flaw<T> != Flaw::none) {
      return Type<T>();
    } else {
      return first_offender(Parts<T>(), TypeList<T, Open...>());
    }
  } else {
    return first_offender(Parts<T>(), TypeList<Open...>());
  }
}

/// The type to blame if T cannot travel, else void.
template <class T>
using Offender = typename decltype(find_offender<T>())::type;

/// True if values of T can be written here and read in another process.
template <class T>
inline constexpr bool sendable = std::is_void_v<Offender<T>>;

template <class T>
concept Sendable = sendable<T>;

// --- what takes a handle along ---

template <class T, class... Open>
consteval auto find_handle();

template <class... Open>
consteval auto first_handle(TypeList<>, TypeList<Open...>) {
  return Type<void>();
}
template <class First, class... Rest, class... Open>
consteval auto first_handle(TypeList<First, Rest...>, TypeList<Open...> open) {
  using Found = decltype(find_handle<First, Open...>());
  if constexpr (std::is_void_v<typename Found::type>) {
    return first_handle(TypeList<Rest...>(), open);
  } else {
    return Found();
  }
}
template <class T, class... Open>
consteval auto find_handle() {
  if constexpr (std::is_base_of_v<BearsHandle, T>) {
    return Type<T>();
  } else if constexpr ((std::is_same_v<T, Open> || ...)) {
    return Type<void>();
  } else if constexpr (kind_of<T> == Kind::aggregate) {
    return first_handle(Parts<T>(), TypeList<T, Open...>());
  } else {
    return first_handle(Parts<T>(), TypeList<Open...>());
  }
}

/// The type of a handle that travels inside a sendable T; void if there is none, or if only T's own functions
/// know of it.
template <class T>
using HandleWithin = typename decltype(find_handle<T>())::type;

// --- what to tell the user ---

enum class Reason {
  none,
  pointer,
  function_pointer,
  reference,
  shared_pointer,
  array,
  view,
  constant,
  polymorphic,
  base,
  not_makeable,
  captures,
  lock,
  handle,
  other
};

template <class T>
inline constexpr bool is_view = false;
template <class C, class Traits>
inline constexpr bool is_view<std::basic_string_view<C, Traits>> = true;
template <class T, std::size_t extent>
inline constexpr bool is_view<std::span<T, extent>> = true;

template <class T>
concept CountedPointer = requires(const T& pointer) {
  typename T::element_type;
  pointer.use_count();
};

template <class T>
concept Callable = requires {
  &T::operator();
};

template <class T>
concept LockLike = requires(T& lock) {
  lock.lock();
  lock.unlock();
};

template <class T>
consteval Reason class_reason() {
  if constexpr (CountedPointer<T>) return Reason::shared_pointer;
  if constexpr (is_view<T>) return Reason::view;
  if constexpr (would_be_sliced<T>) return Reason::polymorphic;
  if constexpr (LockLike<T>) return Reason::lock;
  if constexpr (Callable<T>) return Reason::captures;
  if constexpr (kind_of<T> == Kind::own) return Reason::not_makeable;
  if constexpr (std::is_aggregate_v<T>) {
    if constexpr (aggregate_flaw<T> == Flaw::base) return Reason::base;
    if constexpr (aggregate_flaw<T> == Flaw::array) return Reason::array;
    if constexpr (aggregate_flaw<T> == Flaw::not_makeable) return Reason::not_makeable;
  }
  return Reason::other;
}

/// Why T itself, an Offender, was refused.
template <class T>
consteval Reason reason_of() {
  if constexpr (std::is_void_v<T>)
    return Reason::none;
  else if constexpr (std::is_reference_v<T>)
    return Reason::reference;
  else if constexpr (std::is_const_v<T>)
    return Reason::constant;
  else if constexpr (std::is_array_v<T>)
    return Reason::array;
  else if constexpr (std::is_member_pointer_v<T> || std::is_function_v<std::remove_pointer_t<T>>)
    return Reason::function_pointer;
  else if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>)
    return Reason::pointer;
  else if constexpr (std::is_class_v<T>)
    return class_reason<T>();
  else
    return Reason::other;
}

/// Named in error messages: which argument, from 1 as the user counts them behind the target.
template <std::size_t index>
struct argument {};
/// Named in error messages instead of an argument.
struct result_of_the_target {};
struct target_object {};
/// Named in error messages: the type to blame, which may lie deep inside the argument.
template <class T>
struct member {};

/// A call to this is how gcc shows the types.
template <class Place, class T>
void cannot_travel(Place, member<T>) = delete;

/// And this is how clang shows them.
template <class Place, class Member>
inline constexpr bool can_travel = false;

/// Fails to compile with the cure for `reason`.
template <class Place, class Member, Reason reason>
consteval bool give_cure() {
  if constexpr (reason == Reason::pointer)
    static_assert(can_travel<Place, Member>,
                  "a pointer means nothing in another process; send the value, a std::unique_ptr or a "
                  "std::string instead");
  if constexpr (reason == Reason::function_pointer)
    static_assert(can_travel<Place, Member>,
                  "a function's address means nothing in another process; send a captureless lambda or "
                  "mp::fn<&function>");
  if constexpr (reason == Reason::reference)
    static_assert(can_travel<Place, Member>,
                  "changes would be lost in the child; return the value, or take Value<T>");
  if constexpr (reason == Reason::shared_pointer)
    static_assert(can_travel<Place, Member>,
                  "sharing ends at the process; send the value or a std::unique_ptr instead");
  if constexpr (reason == Reason::array)
    static_assert(
        can_travel<Place, Member>,
        "C arrays cannot travel, in a struct neither; use std::array, or give the struct serialize()");
  if constexpr (reason == Reason::view)
    static_assert(
        can_travel<Place, Member>,
        "a view inside another type looks into memory of this process; use std::string or std::vector there");
  if constexpr (reason == Reason::constant)
    static_assert(can_travel<Place, Member>,
                  "a const member cannot be read back; drop the const, or give the class serialize()");
  if constexpr (reason == Reason::polymorphic)
    static_assert(can_travel<Place, Member>,
                  "behind a pointer to a base class the rest of the object would be cut off; send the object "
                  "itself, or make its class final");
  if constexpr (reason == Reason::base)
    static_assert(
        can_travel<Place, Member>,
        "a struct with a base class is not taken apart; give it serialize(), which writes the base as well");
  if constexpr (reason == Reason::not_makeable)
    static_assert(can_travel<Place, Member>,
                  "the child must make the object before it reads it: no references, and a default "
                  "constructor (which may be private, with friend class multiprocessing::access)");
  if constexpr (reason == Reason::captures)
    static_assert(
        can_travel<Place, Member>,
        "only ForkProcess takes captures; pass them as arguments, or give the function object serialize()");
  if constexpr (reason == Reason::lock)
    static_assert(can_travel<Place, Member>,
                  "a lock of this process locks nobody in another; use multiprocessing::Lock");
  if constexpr (reason == Reason::handle)
    static_assert(can_travel<Place, Member>,
                  "a handle does not travel with a pool's task or its result; bring it to the workers by the "
                  "pool's initializer, or send it through a Connection");
  if constexpr (reason == Reason::other)
    static_assert(
        can_travel<Place, Member>,
        "give the class serialize(), or save() and load(), or make it an aggregate of types that can travel");
  return true;
}

/// Does not compile: the message names the place, the type to blame and the cure.
template <class Place, class Blamed, Reason reason>
constexpr void refuse() {
  cannot_travel(Place(), member<Blamed>());
  static_assert(give_cure<Place, member<Blamed>, reason>());
}

/// Compiles if T can travel.
template <class Place, class T>
constexpr void require_sendable() {
  using Blamed = Offender<T>;
  if constexpr (!std::is_void_v<Blamed>) {
    refuse<Place, Blamed, reason_of<Blamed>()>();
  }
}

}  // namespace multiprocessing::detail
