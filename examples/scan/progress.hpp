// What is said while the work goes on: one line that is written again on a terminal, some plain lines
// elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace scan {

/// Writes to standard error.
class Progress {
 public:
  Progress();
  ~Progress();  ///< takes the line away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::uint64_t files, std::size_t failed);

 private:
  const bool terminal_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace scan
