// What sort of thing a type is on its way to another process: one decision per type, made before cereal or
// Boost.PFR sees it. Writing, reading, sendability and fingerprints all follow it.
//
// The standard library's rarer class templates are known by their members and their namespace, so that
// nobody pays for <deque>, <variant> or <filesystem> who does not use them.
//
// Who asks for the Kind of a class includes serialize.hpp as well: its own functions are found with the
// archives.
#pragma once

#include <multiprocessing/detail/access.hpp>
#include <multiprocessing/detail/archive.hpp>
#include <multiprocessing/detail/shareable.hpp>
#include <multiprocessing/detail/type_list.hpp>
#include <multiprocessing/detail/type_name.hpp>

#include <cereal/cereal.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::detail {

class OutputArchive;
class InputArchive;

template <class T>
inline constexpr bool is_shareable = std::is_base_of_v<Shareable, T>;

enum class Kind {
  shareable,   // a handle
  number,      // arithmetic types and enums, std::byte among them
  text,        // std::basic_string
  sequence,    // std::vector, deque, list, forward_list
  set,         // std::set, multiset and the unordered ones
  map,         // std::map, multimap and the unordered ones
  array,       // std::array
  product,     // std::pair, std::tuple
  optional,    //
  variant,     //
  unique,      // std::unique_ptr of one object
  duration,    //
  time_point,  //
  complex,     //
  bitset,      //
  path,        // whatever has u8string() and can be made from it
  own,         // has its own serialize, save and load, or save_minimal and load_minimal
  aggregate,   // its fields, one by one
  empty,       // a class without data
  refused
};

// --- exact matches ---

template <class T>
inline constexpr bool is_text = false;
template <class C, class Traits, class Allocator>
inline constexpr bool is_text<std::basic_string<C, Traits, Allocator>> = true;

template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t n>
inline constexpr bool is_array<std::array<T, n>> = true;

template <class T>
inline constexpr bool is_product = false;
template <class First, class Second>
inline constexpr bool is_product<std::pair<First, Second>> = true;
template <class... Elements>
inline constexpr bool is_product<std::tuple<Elements...>> = true;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_unique = false;
template <class T>
inline constexpr bool is_unique<std::unique_ptr<T>> = !std::is_array_v<T>;

// --- matches by members, in namespace std only ---

template <class T>
concept Range = requires(T& range) {
  typename T::value_type;
  range.begin();
  range.end();
  range.clear();
};

template <class T>
concept SequenceLike = Range<T> && requires(T& range, typename T::value_type& value) {
  range.resize(1);
};

template <class T>
concept SetLike = Range<T> && requires(T& range) {
  typename T::key_type;
  range.emplace_hint(range.end());
};

template <class T>
concept MapLike = SetLike<T> && requires {
  typename T::mapped_type;
};

template <class T>
inline constexpr bool is_template_of_types = false;
template <template <class...> class Template, class... Arguments>
inline constexpr bool is_template_of_types<Template<Arguments...>> = true;

template <class T>
concept VariantLike = is_template_of_types<T> && requires(const T& value) {
  value.index();
  value.valueless_by_exception();
};

template <class T>
concept DurationLike = requires(const T& value) {
  typename T::period;
  typename T::rep;
  value.count();
};

template <class T>
concept TimePointLike = requires(const T& value) {
  typename T::clock;
  typename T::duration;
  value.time_since_epoch();
};

template <class T>
concept ComplexLike = requires(const T& value) {
  typename T::value_type;
  value.real();
  value.imag();
};

template <class T>
inline constexpr bool is_template_of_size = false;
template <template <std::size_t> class Template, std::size_t size>
inline constexpr bool is_template_of_size<Template<size>> = true;

template <class T>
concept BitsetLike = is_template_of_size<T> && requires(T& value) {
  value.test(0);
  value.set(0, true);
};

template <class T>
concept PathLike = requires(const T& value) {
  T(value.u8string());
};

// --- the user's own functions ---

/// Reachable by cereal's rules: public members, free functions, private members with `friend class
/// cereal::access`, with or without a version.
template <class T>
concept SerializedByCereal = ::cereal::traits::is_output_serializable<T, OutputArchive>::value &&
    ::cereal::traits::is_input_serializable<T, InputArchive>::value;

template <class T>
concept SerializeMember = requires(OutputArchive& out, InputArchive& in, T& value) {
  access::serialize(out, value);
  access::serialize(in, value);
};
template <class T>
concept SaveLoadMembers = requires(OutputArchive& out, InputArchive& in, T& value) {
  access::save(out, value);
  access::load(in, value);
};
template <class T>
concept MinimalMembers = requires(const OutputArchive& out, const InputArchive& in, T& value) {
  access::load_minimal(in, value, access::save_minimal(out, value));
};

template <class T>
concept SerializedByItself =
    SerializedByCereal<T> || SerializeMember<T> || SaveLoadMembers<T> || MinimalMembers<T>;

// --- the decision ---

template <class T>
consteval Kind standard_kind() {
  if constexpr (MapLike<T>) return Kind::map;
  if constexpr (SetLike<T>) return Kind::set;
  if constexpr (SequenceLike<T>) return Kind::sequence;
  if constexpr (VariantLike<T>) return Kind::variant;
  if constexpr (DurationLike<T>) return Kind::duration;
  if constexpr (TimePointLike<T>) return Kind::time_point;
  if constexpr (ComplexLike<T>) return Kind::complex;
  if constexpr (BitsetLike<T>) return Kind::bitset;
  return Kind::refused;
}

/// A class that needs no look at its members; `refused` if it is none of these.
template <class T>
consteval Kind known_kind() {
  if constexpr (is_shareable<T>) return Kind::shareable;
  if constexpr (is_text<T>) return Kind::text;
  if constexpr (is_array<T>) return Kind::array;
  if constexpr (is_product<T>) return Kind::product;
  if constexpr (is_optional<T>) return Kind::optional;
  if constexpr (is_unique<T>) return Kind::unique;
  if constexpr (is_standard<T>) return standard_kind<T>();
  return Kind::refused;
}

/// Any other class or union. cereal's optional headers bring functions for more of the standard library's
/// classes, std::shared_ptr among them: those are not asked.
template <class T>
consteval Kind other_kind() {
  if constexpr (!is_standard<T>) {
    if constexpr (SerializedByItself<T>) return Kind::own;
  }
  if constexpr (PathLike<T>) return Kind::path;
  if constexpr (std::is_aggregate_v<T> && std::is_class_v<T>) return Kind::aggregate;
  if constexpr (std::is_empty_v<T> && std::is_default_constructible_v<T>) return Kind::empty;
  return Kind::refused;
}

template <class T>
consteval Kind find_kind() {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return Kind::number;
  } else if constexpr (!std::is_class_v<T> && !std::is_union_v<T>) {
    return Kind::refused;
  } else if constexpr (known_kind<T>() != Kind::refused) {
    return known_kind<T>();
  } else {
    return other_kind<T>();
  }
}

template <class T>
inline constexpr Kind kind_of = find_kind<std::remove_cv_t<T>>();

/// The arithmetic type that stands for an arithmetic type or an enum.
template <class T>
struct CarrierOf {
  using type = T;
};
template <class T>
requires std::is_enum_v<T>
struct CarrierOf<T> : std::underlying_type<T> {
};
template <class T>
using Carrier = typename CarrierOf<T>::type;

/// The template arguments of T: the alternatives of a variant, the elements of a pair or tuple.
template <class T>
struct ArgumentsOf;
template <template <class...> class Template, class... Arguments>
struct ArgumentsOf<Template<Arguments...>> {
  using type = TypeList<Arguments...>;
};
template <class T>
using TemplateArguments = typename ArgumentsOf<T>::type;

// --- making an object to read into ---

template <class T>
concept MadeByAccess = requires {
  access::make<T>();
};

/// Only cereal::access reaches T's serialize, so T befriends it, and it may make a T as well. (Its functions
/// cannot be asked: they have no constraints.)
template <class T>
concept MadeByCereal = !MadeByAccess<T> && std::is_class_v<T> && SerializedByCereal<T> &&
                       !SerializeMember<T> && !SaveLoadMembers<T> &&
                       (::cereal::traits::has_member_serialize<T, OutputArchive>::value ||
                        ::cereal::traits::has_member_save<T, OutputArchive>::value);

template <class T>
concept Makeable = MadeByAccess<T> || MadeByCereal<T>;

template <class T>
std::unique_ptr<T> make_unique_value() {
  if constexpr (MadeByAccess<T>) {
    return access::make_unique<T>();
  } else {
    return std::unique_ptr<T>(::cereal::access::construct<T>());
  }
}

template <class T>
T make_value() {
  if constexpr (MadeByAccess<T>) {
    return access::make<T>();
  } else {
    return std::move(*make_unique_value<T>());
  }
}

}  // namespace multiprocessing::detail
