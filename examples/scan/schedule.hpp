// Several children at a time, a batch each, each with its time limit.
#pragma once

#include "count.hpp"
#include "options.hpp"
#include "walk.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace scan {

/// How one batch ended: with counts, or with a reason why there are none.
struct Outcome {
  std::size_t number = 0;  ///< from 1, in the order of the walk
  std::size_t files = 0;
  std::string first;  ///< the first of its files
  std::optional<BatchCounts> counts = {};
  std::string failure = {};
};

/// Counts all that the walk finds, and calls `report` in this thread for each batch that has ended.
void run_batches(Walk& walk, const Options& options, const std::function<void(const Outcome&)>& report);

}  // namespace scan
