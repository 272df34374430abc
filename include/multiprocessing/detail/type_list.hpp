// Types as values, for functions that compute with them.
#pragma once

#include <cstddef>

namespace multiprocessing::detail {

template <class T>
struct Type {
  using type = T;
};

template <class... Types>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Types);
};

}  // namespace multiprocessing::detail
