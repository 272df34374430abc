// A number that two programs compute alike for types that are written alike: made of structure and fixed
// widths, never of names. Lists and vectors of the same elements have the same one, as have a struct and a
// tuple of the same fields: their bytes are the same, too.
//
// A type with its own serialize() counts as "own" and nothing else: what it writes cannot be seen from
// outside.
#pragma once

#include <multiprocessing/detail/sendable.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <type_traits>

namespace multiprocessing::detail {

/// FNV-1a over the bytes of `value`, the lowest first.
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
  for (int i = 0; i < 8; ++i) {
    hash ^= value & 0xff;
    hash *= 0x100000001b3;
    value >>= 8;
  }
  return hash;
}
inline constexpr std::uint64_t first_hash = 0xcbf29ce484222325;

/// Width and nature of a number. char counts without its sign, which differs between machines.
template <class T>
constexpr std::uint64_t number_fingerprint() {
  constexpr std::uint64_t nature = std::is_same_v<T, bool>       ? 1
                                   : std::is_floating_point_v<T> ? 2
                                   : std::is_same_v<T, char>     ? 3
                                   : std::is_signed_v<T>         ? 4
                                                                 : 5;
  constexpr std::uint64_t width =
      std::is_floating_point_v<T> ? static_cast<std::uint64_t>(std::numeric_limits<T>::digits) : sizeof(T);
  return mix(mix(first_hash, nature), width);
}

template <class T, class... Open>
constexpr std::uint64_t fingerprint_within();

template <class... Types, class... Open>
constexpr std::uint64_t mix_parts(std::uint64_t hash, TypeList<Types...>, TypeList<Open...>) {
  hash = mix(hash, sizeof...(Types));
  ((hash = mix(hash, fingerprint_within<Types, Open...>())), ...);
  return hash;
}

/// How far out the aggregate T is that is being looked at already, from 1; 0 if it is not.
template <class T, class... Open>
constexpr std::uint64_t distance_to() {
  std::uint64_t distance = 0, i = 0;
  ((++i, distance = distance == 0 && std::is_same_v<T, Open> ? i : distance), ...);
  return distance;
}

/// Numbers of the kinds that must never change, unlike those of Kind.
constexpr std::uint64_t kind_mark(Kind kind) {
  switch (kind) {
    case Kind::number:
      return 1;
    case Kind::text:
      return 2;
    case Kind::sequence:
      return 3;
    case Kind::set:
      return 4;
    case Kind::map:
      return 5;
    case Kind::array:
      return 6;
    case Kind::product:
    case Kind::aggregate:
    case Kind::empty:
      return 7;
    case Kind::optional:
    case Kind::unique:
      return 8;
    case Kind::variant:
      return 9;
    case Kind::duration:
      return 10;
    case Kind::time_point:
      return 11;
    case Kind::complex:
      return 12;
    case Kind::bitset:
      return 13;
    case Kind::path:
      return 14;
    case Kind::own:
      return 15;
    case Kind::shareable:
      return 16;
    case Kind::refused:
      break;
  }
  return 0;
}

/// A number beside the parts that is part of the structure.
template <class T, Kind kind>
constexpr std::uint64_t measure_of() {
  if constexpr (kind == Kind::number) return number_fingerprint<Carrier<T>>();
  if constexpr (kind == Kind::text) return sizeof(typename T::value_type);
  if constexpr (kind == Kind::array) return std::tuple_size_v<T>;
  if constexpr (kind == Kind::bitset) return T().size();
  if constexpr (kind == Kind::duration)
    return mix(static_cast<std::uint64_t>(T::period::num), static_cast<std::uint64_t>(T::period::den));
  return 0;
}

template <class T, class... Open>
constexpr std::uint64_t fingerprint_within() {
  constexpr Kind kind = kind_of<T>;
  if constexpr (distance_to<T, Open...>() != 0) {
    return mix(mix(first_hash, 0xff), distance_to<T, Open...>());
  } else {
    const std::uint64_t hash = mix(mix(first_hash, kind_mark(kind)), measure_of<T, kind>());
    if constexpr (kind == Kind::aggregate) {
      return mix_parts(hash, Parts<T>(), TypeList<T, Open...>());
    } else {
      return mix_parts(hash, Parts<T>(), TypeList<Open...>());
    }
  }
}

template <Sendable T>
constexpr std::uint64_t fingerprint() {
  return fingerprint_within<T>();
}

/// Of a call: what goes there, in this order, and what comes back (void: nothing does).
template <class Result, class... Arguments>
constexpr std::uint64_t call_signature() {
  std::uint64_t hash = mix(first_hash, sizeof...(Arguments));
  ((hash = mix(hash, fingerprint<Arguments>())), ...);
  if constexpr (!std::is_void_v<Result>) hash = mix(hash, fingerprint<Result>());
  return hash;
}

}  // namespace multiprocessing::detail
