// What a target wants, how its arguments are stored until they travel, and how they are passed at the other
// end.
//
// | parameter                      | stored as           | passed as              |
// | T, const T&, T&&               | T                   | static_cast<P&&>       |
// | string_view, span<const T>     | string, vector<T>   | a view of it           |
// | T& of a shareable handle       | T                   | T&                     |
// | any, of a generic callable     | decay_t<Arg>        | an rvalue              |
#pragma once

#include <multiprocessing/detail/sendable.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/fn.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::detail {

// --- what a callable takes ---

/// Stands for the object of a member function: sent by value, passed as an lvalue.
template <class C>
struct ObjectOf {};

template <class R, class... Parameters>
struct Signature {
  using Result = R;
  using List = TypeList<Parameters...>;
};
/// Of a callable that says nothing about its parameters before it sees the arguments.
struct Generic {};

template <class Pointer>
struct PointerSignature {
  using type = Generic;
};
template <class R, class... P>
struct PointerSignature<R (*)(P...)> {
  using type = Signature<R, P...>;
};
template <class R, class... P>
struct PointerSignature<R (*)(P...) noexcept> {
  using type = Signature<R, P...>;
};

/// For `R (C::*)(P...)` with any qualifiers: Call for operator() without the object, Bound with it.
template <class Object, class R, class... P>
struct MemberSignature {
  using Call = Signature<R, P...>;
  using Bound = Signature<R, Object, P...>;
};
template <class Member>
struct MemberPointer {
  using Call = Generic;
};
// A data member is read like a function without parameters.
template <class R, class C>
requires(!std::is_function_v<R>) struct MemberPointer<R C::*> : MemberSignature<ObjectOf<C>, R&> {
};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...)> : MemberSignature<ObjectOf<C>, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...) const> : MemberSignature<ObjectOf<C>, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...)&> : MemberSignature<ObjectOf<C>, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...) const&> : MemberSignature<ObjectOf<C>, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...) &&> : MemberSignature<C&&, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...) const&&> : MemberSignature<C&&, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...) noexcept> : MemberSignature<ObjectOf<C>, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...) const noexcept> : MemberSignature<ObjectOf<C>, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...)& noexcept> : MemberSignature<ObjectOf<C>, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...) const& noexcept> : MemberSignature<ObjectOf<C>, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...)&& noexcept> : MemberSignature<C&&, R, P...> {};
template <class R, class C, class... P>
struct MemberPointer<R (C::*)(P...) const&& noexcept> : MemberSignature<C&&, R, P...> {};

/// The signature of a target type F (decayed), or Generic.
template <class F>
struct SignatureOf : PointerSignature<F> {};
template <class F>
requires requires { &F::operator(); }
struct SignatureOf<F> {
  using Operator = decltype(&F::operator());
  using type = std::conditional_t<std::is_member_pointer_v<Operator>, typename MemberPointer<Operator>::Call,
                                  typename PointerSignature<Operator>::type>;
};
template <auto V>
requires std::is_member_pointer_v<decltype(V)>
struct SignatureOf<Fn<V>> {
  using type = typename MemberPointer<std::remove_cv_t<decltype(V)>>::Bound;
};
template <auto V>
requires(!std::is_member_pointer_v<decltype(V)>) struct SignatureOf<Fn<V>>
    : SignatureOf<std::remove_cv_t<decltype(V)>> {
};

template <class F>
using SignatureFor = typename SignatureOf<F>::type;

/// Nothing of F travels: the other process makes one.
template <class F>
inline constexpr bool is_stateless = std::is_empty_v<F>&& std::is_default_constructible_v<F>;

template <class F>
inline constexpr bool is_function_pointer =
    std::is_pointer_v<F>&& std::is_function_v<std::remove_pointer_t<F>>;

/// One descriptor serves a function that may throw and one that may not.
template <class F>
struct WithoutNoexcept {
  using type = F;
};
template <class R, class... P>
struct WithoutNoexcept<R (*)(P...) noexcept> {
  using type = R (*)(P...);
};
template <class F>
using TargetType = typename WithoutNoexcept<std::decay_t<F>>::type;

// --- how a value is stored ---

template <class T>
struct OwnerOf {
  using type = T;
};
template <class C, class Traits>
struct OwnerOf<std::basic_string_view<C, Traits>> {
  using type = std::basic_string<C, Traits>;
};
// (A std::vector<bool> has no memory to look into.)
template <class T, std::size_t extent>
requires(std::is_const_v<T> && !std::is_same_v<T, const bool>) struct OwnerOf<std::span<T, extent>> {
  using type = std::vector<std::remove_const_t<T>>;
};
template <class C>
struct OwnerOf<ObjectOf<C>> {
  using type = C;
};

template <class Parameter>
using StoredParameter = typename OwnerOf<std::decay_t<Parameter>>::type;

template <class T>
inline constexpr bool is_character =
    std::is_same_v<T, char> || std::is_same_v<T, wchar_t> || std::is_same_v<T, char8_t> ||
    std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

/// Where the parameter says nothing the argument does, and a string literal is a string.
template <class Argument>
struct OwnerOfGeneric : OwnerOf<Argument> {};
template <class C>
requires is_character<std::remove_const_t<C>>
struct OwnerOfGeneric<C*> {
  using type = std::basic_string<std::remove_const_t<C>>;
};
template <class Argument>
using StoredArgument = typename OwnerOfGeneric<std::decay_t<Argument>>::type;

// --- the parameters of one call ---

/// Parameters: as the target declares them. Stored: what is kept and sent.
template <class R, class ParameterList, class StoredList>
struct CallShape {
  using Result = R;
  using Parameters = ParameterList;
  using Stored = StoredList;
};

template <class... Parameters>
constexpr auto store_each(TypeList<Parameters...>) -> TypeList<StoredParameter<Parameters>...>;
/// void where the call does not compile, so that make_task() is the one to say why.
template <class F, class Stored>
struct GenericResult {
  using type = void;
};
template <class F, class... Stored>
requires std::is_invocable_v<F&, Stored&&...>
struct GenericResult<F, TypeList<Stored...>> : std::invoke_result<F&, Stored&&...> {
};

template <class F, class Signature, class... Args>
struct ShapeOf {
  using type = CallShape<typename Signature::Result, typename Signature::List,
                         decltype(store_each(typename Signature::List()))>;
};
template <class F, class... Args>
struct ShapeOf<F, Generic, Args...> {
  using Stored = TypeList<StoredArgument<Args>...>;
  using type =
      CallShape<typename GenericResult<F, Stored>::type, TypeList<StoredArgument<Args>&&...>, Stored>;
};
template <class F, class... Args>
using ShapeFor = typename ShapeOf<std::decay_t<F>, SignatureFor<std::decay_t<F>>, Args...>::type;

// The same for calls that stay in this process and its forked children.

template <class P, class A>
struct LocallyStored {
  using type = StoredParameter<P>;
};
/// std::ref is how the caller says that he knows: a forked child works on its own copy of the object.
template <class T, class U>
struct LocallyStored<T&, std::reference_wrapper<U>> {
  using type = std::reference_wrapper<U>;
};

template <class F, class Signature, class... Args>
struct LocalShapeOf {
  using List = TypeList<std::decay_t<Args>...>;
  using type = CallShape<typename GenericResult<F, List>::type, TypeList<std::decay_t<Args>&&...>, List>;
};
// Lists of different lengths are told to the user later, and must not end the compilation here.
template <class ParameterList, class ArgumentList>
struct LocalList {
  using type = TypeList<>;
};
template <class... P, class... Args>
requires(sizeof...(P) == sizeof...(Args)) struct LocalList<TypeList<P...>, TypeList<Args...>> {
  using type = TypeList<typename LocallyStored<P, std::remove_cvref_t<Args>>::type...>;
};
template <class F, class R, class... P, class... Args>
struct LocalShapeOf<F, Signature<R, P...>, Args...> {
  using type = CallShape<R, TypeList<P...>, typename LocalList<TypeList<P...>, TypeList<Args...>>::type>;
};
template <class F, class... Args>
using LocalShapeFor = typename LocalShapeOf<F, SignatureFor<F>, Args...>::type;

/// What comes back from `f(args...)`: a value, never a reference or a view.
template <class R>
using StoredResult = typename OwnerOf<std::remove_cvref_t<R>>::type;

// --- storing and passing ---

/// May an argument of type A (with its reference) be given for parameter P?
template <class A, class P>
inline constexpr bool accepts = std::is_convertible_v<A, StoredParameter<P>>;
template <class A, class P>
requires is_view<std::remove_cvref_t<P>>
inline constexpr bool accepts<A, P> = std::is_convertible_v<A, std::remove_cvref_t<P>>;
template <class A, class P>
requires is_shareable<std::remove_cvref_t<P>>
inline constexpr bool accepts<A, P> = std::is_convertible_v<A, std::remove_cvref_t<P>> ||
                                      std::is_same_v<std::remove_cvref_t<A>, std::remove_cvref_t<P>>;

/// Makes what is stored for parameter P from an argument that it accepts.
template <class P, class Stored, class A>
Stored store(A&& argument) {
  using Parameter = std::remove_cvref_t<P>;
  if constexpr (is_view<Parameter>) {
    const Parameter view = std::forward<A>(argument);
    return Stored(view.begin(), view.end());
  } else if constexpr (is_shareable<Stored> && !std::is_convertible_v<A, Stored>) {
    return access::share(argument);
  } else {
    return static_cast<Stored>(std::forward<A>(argument));
  }
}

/// What the target is called with. A view looks into `stored`, which therefore must outlive the call.
template <class P, class Stored>
constexpr decltype(auto) pass(Stored& stored) {
  using Parameter = std::remove_cvref_t<P>;
  if constexpr (std::is_same_v<Parameter, ObjectOf<Stored>>) {
    return (stored);
  } else if constexpr (is_view<Parameter> && !std::is_same_v<Parameter, Stored>) {
    if constexpr (requires { Parameter::extent; }) {
      if (Parameter::extent != std::dynamic_extent && Parameter::extent != stored.size())
        throw SerializationError("a span of a fixed size came with another one");
    }
    return Parameter(stored.data(), stored.size());
  } else if constexpr (std::is_same_v<Stored, std::reference_wrapper<Parameter>>) {
    return (stored.get());
  } else {
    return static_cast<P&&>(stored);
  }
}

}  // namespace multiprocessing::detail
