// A type's name as text, at compile time, for messages and to tell the standard library's class
// templates from others. Never travels and never goes into a fingerprint: compilers spell it differently.
#pragma once

#include <cstddef>
#include <source_location>
#include <string_view>

namespace multiprocessing::detail {

/// The name of the function itself with T in it; `auto`, so that the return type adds nothing to it.
template <class T>
constexpr auto signature_with() noexcept {
  return std::string_view(std::source_location::current().function_name());
}

/// What stands before and after the name of T, measured with a type whose name is known.
inline constexpr std::size_t name_begin = signature_with<double>().find("double");
static_assert(name_begin != std::string_view::npos,
              "this compiler's function names do not show template arguments");
inline constexpr std::size_t name_rest = signature_with<double>().size() - name_begin - 6;

constexpr std::string_view without_class_key(std::string_view name) noexcept {
  for (const std::string_view key :
       {std::string_view("class "), std::string_view("struct "), std::string_view("enum ")})
    if (name.starts_with(key)) return name.substr(key.size());
  return name;
}

template <class T>
constexpr std::string_view type_name() noexcept {
  constexpr std::string_view text = signature_with<T>();
  return without_class_key(text.substr(name_begin, text.size() - name_begin - name_rest));
}

/// True for classes of namespace std. A class that a user derived from one is none of them, so that the
/// members he added are never left out in silence.
template <class T>
inline constexpr bool is_standard = type_name<T>().starts_with("std::");

}  // namespace multiprocessing::detail
