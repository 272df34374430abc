// Counting, as wc counts in the C locale: what a child does with its batch of files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
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

struct File {
  std::string path;   ///< UTF-8
  std::string group;  ///< the row of the table that it is counted in
};

/// What a child does on purpose when it meets a file.
enum class Fault : std::uint8_t { crash, hang, throw_exception };

struct Injection {
  std::string path;
  Fault fault = Fault::crash;
};

/// What travels to a child.
struct Batch {
  std::vector<File> files;
  Words words = Words::printable;
  std::vector<Injection> injections;
};

/// What comes back.
struct BatchCounts {
  std::map<std::string, Counts> groups;
  std::vector<std::string> unreadable;  ///< a line for each: path and reason
};

/// Runs in a child.
BatchCounts count_batch(const Batch& batch);

}  // namespace scan
