// What with_helper.cpp and light_helper.cpp both know.
#pragma once

#include <cstdint>
#include <vector>

inline std::int64_t sum_of_squares(const std::vector<std::int64_t>& numbers) {
  std::int64_t sum = 0;
  for (const std::int64_t number : numbers) sum += number * number;
  return sum;
}

inline constexpr const char* sum_of_squares_name = "sum of squares";
