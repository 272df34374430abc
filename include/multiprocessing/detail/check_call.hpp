// Is this call one that can be made in another process? And if not, which argument is to blame, and what is
// the cure. The questions are asked first, so that the compiler prints the answer and nothing else.
#pragma once

#include <multiprocessing/detail/arguments.hpp>
#include <multiprocessing/detail/sendable.hpp>

#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

namespace multiprocessing::detail {

template <class P>
inline constexpr bool is_mutable_reference =
    std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>> &&
    !is_shareable<std::remove_cvref_t<P>>;

template <class F>
inline constexpr bool is_generic = std::is_same_v<SignatureFor<F>, Generic>;

// --- the target ---

template <class F>
inline constexpr bool target_travels = is_function_pointer<F> || is_stateless<F> || sendable<F>;

/// Stored: what a generic target would be called with.
template <class F, class... Stored>
consteval bool takes_arguments(Type<Generic>, TypeList<Stored...>, std::size_t) {
  return !std::is_member_pointer_v<F> && std::is_invocable_v<F&, Stored&&...>;
}
template <class F, class R, class... P, class... Stored>
consteval bool takes_arguments(Type<Signature<R, P...>>, TypeList<Stored...>, std::size_t given) {
  return sizeof...(P) == given;
}

/// Of the right number; for generic targets also of the right types.
template <class F, class Shape, class... Args>
inline constexpr bool takes_as_many = takes_arguments<F>(Type<SignatureFor<F>>(), typename Shape::Stored(),
                                                         sizeof...(Args));

template <std::size_t given, std::size_t wanted>
inline constexpr bool same_number = given == wanted;
template <class F, class... Args>
inline constexpr bool can_be_called = false;

/// Why a target does not take these arguments.
template <class F, class Shape, class... Args>
constexpr void explain_target() {
  if constexpr (std::is_member_pointer_v<F>) {
    static_assert(can_be_called<F, Args...>, "give a member function as mp::fn<&Class::member>");
  } else if constexpr (is_generic<F>) {
    static_assert(
        can_be_called<F, Args...>,
        "the target cannot be called with these arguments (as rvalues, and literals as std::string)");
  } else {
    static_assert(
        same_number<sizeof...(Args), Shape::Parameters::size>,
        "the target takes another number of arguments; all must be given, since default arguments are no "
        "part of a function's type");
  }
}

// --- one argument ---

template <class Place, class Argument, class Parameter>
inline constexpr bool converts = accepts<Argument, Parameter>;

template <class P, class Stored, class A>
inline constexpr bool argument_travels = !is_mutable_reference<P> && sendable<Stored> && accepts<A, P>;

template <std::size_t index, class P, class Stored, class A>
constexpr void explain_argument() {
  using Place = argument<index>;
  if constexpr (is_mutable_reference<P>) {
    refuse<Place, P, Reason::reference>();
  } else if constexpr (!sendable<Stored>) {
    require_sendable<Place, Stored>();
  } else {
    static_assert(converts<Place, A, P>,
                  "this argument cannot be converted to the type of the target's parameter");
  }
}

/// With std::ref a forked child may work on its copy.
template <class P, class Stored, class A>
inline constexpr bool argument_works_locally =
    accepts<A, P> &&
    (!is_mutable_reference<P> || std::is_same_v<Stored, std::reference_wrapper<std::remove_reference_t<P>>>);

template <std::size_t index, class P, class Stored, class A>
constexpr void explain_local_argument() {
  if constexpr (is_mutable_reference<P> && !argument_works_locally<P, Stored, A>) {
    refuse<argument<index>, P, Reason::reference>();
  } else {
    static_assert(converts<argument<index>, A, P>,
                  "this argument cannot be converted to the type of the target's parameter");
  }
}

// --- the whole call ---

template <class... Args, class R, class... P, class... Stored>
consteval bool all_travel(CallShape<R, TypeList<P...>, TypeList<Stored...>>) {
  return (argument_travels<P, Stored, Args> && ...);
}
template <class... Args, class R, class... P, class... Stored, std::size_t... i>
constexpr void explain_arguments(CallShape<R, TypeList<P...>, TypeList<Stored...>>,
                                 std::index_sequence<i...>) {
  (explain_argument<i + 1, P, Stored, Args>(), ...);
}

template <class R>
inline constexpr bool result_travels = sendable<StoredResult<R>>;
template <>
inline constexpr bool result_travels<void> = true;

/// True if f(args...) can be called in another process, and its result can come back where one is wanted.
template <bool with_result, class F, class Shape, class... Args>
consteval bool call_travels() {
  if constexpr (!takes_as_many<F, Shape, Args...>) {
    return false;
  } else {
    return target_travels<F> && all_travel<Args...>(Shape()) &&
           (!with_result || result_travels<typename Shape::Result>);
  }
}

/// Does not compile, and says why.
template <bool with_result, class F, class Shape, class... Args>
constexpr void explain_call() {
  if constexpr (!takes_as_many<F, Shape, Args...>) {
    explain_target<F, Shape, Args...>();
  } else if constexpr (!target_travels<F> && reason_of<Offender<F>>() == Reason::other) {
    refuse<target_object, Offender<F>, Reason::captures>();
  } else if constexpr (!target_travels<F>) {
    require_sendable<target_object, F>();
  } else if constexpr (!all_travel<Args...>(Shape())) {
    explain_arguments<Args...>(Shape(), std::index_sequence_for<Args...>());
  } else {
    require_sendable<result_of_the_target, StoredResult<typename Shape::Result>>();
  }
}

// --- a task of a pool: with it no handle travels ---

template <class T>
inline constexpr bool bears_handle = !std::is_void_v<HandleWithin<T>>;
template <>
inline constexpr bool bears_handle<void> = false;
template <class F>
inline constexpr bool target_bears_handle = false;
template <class F>
requires(!is_function_pointer<F> &&
         !is_stateless<F>) inline constexpr bool target_bears_handle<F> = bears_handle<F>;

template <class R, class... P, class... Stored>
consteval bool any_bears_handle(CallShape<R, TypeList<P...>, TypeList<Stored...>>) {
  return bears_handle<StoredResult<R>> || (bears_handle<Stored> || ...);
}
template <class Place, class T>
constexpr void refuse_handle() {
  if constexpr (bears_handle<T>) refuse<Place, HandleWithin<T>, Reason::handle>();
}
template <class R, class... P, class... Stored, std::size_t... i>
constexpr void refuse_handles(CallShape<R, TypeList<P...>, TypeList<Stored...>>, std::index_sequence<i...>) {
  (refuse_handle<argument<i + 1>, Stored>(), ...);
  refuse_handle<result_of_the_target, StoredResult<R>>();
}

/// True if f(args...) can be a task of a pool. Handles that only a class's own functions know of are found
/// when they are written.
template <class F, class Shape, class... Args>
consteval bool task_travels() {
  if constexpr (call_travels<true, F, Shape, Args...>()) {
    return !target_bears_handle<F> && !any_bears_handle(Shape());
  } else {
    return false;
  }
}
/// Does not compile, and says why.
template <class F, class Shape, class... Args>
constexpr void explain_task() {
  if constexpr (!call_travels<true, F, Shape, Args...>()) {
    explain_call<true, F, Shape, Args...>();
  } else if constexpr (target_bears_handle<F>) {
    refuse_handle<target_object, F>();
  } else {
    refuse_handles(Shape(), std::index_sequence_for<Args...>());
  }
}

// --- a call that stays ---

template <class... Args, class R, class... P, class... Stored>
consteval bool all_work_locally(CallShape<R, TypeList<P...>, TypeList<Stored...>>) {
  return (argument_works_locally<P, Stored, Args> && ...);
}
template <class... Args, class R, class... P, class... Stored, std::size_t... i>
constexpr void explain_local_arguments(CallShape<R, TypeList<P...>, TypeList<Stored...>>,
                                       std::index_sequence<i...>) {
  (explain_local_argument<i + 1, P, Stored, Args>(), ...);
}

/// The same for calls that stay in this process and its forked children.
template <class F, class Shape, class... Args>
consteval bool local_call_works() {
  if constexpr (!takes_as_many<F, Shape, Args...>) {
    return false;
  } else {
    return all_work_locally<Args...>(Shape());
  }
}
template <class F, class Shape, class... Args>
constexpr void explain_local_call() {
  if constexpr (!takes_as_many<F, Shape, Args...>) {
    explain_target<F, Shape, Args...>();
  } else {
    explain_local_arguments<Args...>(Shape(), std::index_sequence_for<Args...>());
  }
}

}  // namespace multiprocessing::detail
