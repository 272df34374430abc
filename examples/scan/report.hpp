// What is known at the end: sums, failed and unreadable files; and the table of it.
#pragma once

#include "count.hpp"
#include "walk.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace scan {

class Report {
 public:
  void add(const File& file, const FileCounts& counted);
  /// A file without a count: what the worker that had it did.
  void add_failed(const File& file, const std::string& reason);
  /// A line for each: path and reason.
  void add_unreadable(const std::vector<std::string>& lines);

  [[nodiscard]] bool complete() const { return failed_.count == 0 && unreadable_.count == 0; }

  /// The table goes to standard output, what could not be counted to standard error.
  void print(std::chrono::duration<double> elapsed) const;

 private:
  /// The first of them, and how many there are.
  struct Lines {
    std::vector<std::string> first;
    std::size_t count = 0;

    void add(std::string line);
    void print(const char* what) const;
  };

  void print_table() const;

  std::map<std::string, Counts> groups_;
  Counts total_;
  Lines failed_;
  Lines unreadable_;
};

}  // namespace scan
