// Counting, as wc counts in the C locale: what a worker does with a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace scan {

/// What a run of bytes between white space needs to be a word.
enum class Words : std::uint8_t {
  printable,  ///< a printable ASCII character: GNU wc up to 9.4
  any,        ///< nothing more: POSIX, BSD, GNU wc from 9.5 on
};

struct Counts {
  std::uint64_t files = 0;
  std::uint64_t lines = 0;
  std::uint64_t words = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;

  Counts& operator+=(const Counts& other);
};

/// What a worker does on purpose when it meets a file.
enum class Fault : std::uint8_t { crash, hang, throw_exception };

struct Injection {
  std::string path;
  Fault fault = Fault::crash;
};

/// What comes back.
struct FileCounts {
  Counts counts;
  std::string unreadable;  ///< why it could not be read; empty if it could
};

/// Runs in each worker, once, before it is given files.
void prepare_worker(Words words, std::vector<Injection> injections);
/// Runs in a worker. The path is in UTF-8.
FileCounts count_file(const std::string& path);

}  // namespace scan
