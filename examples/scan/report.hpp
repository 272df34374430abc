// What is known at the end: sums, failed batches, unreadable files; and the table of it.
#pragma once

#include "count.hpp"
#include "schedule.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace scan {

class Report {
 public:
  void add(const Outcome& outcome);
  void add_unreadable(const std::vector<std::string>& lines);

  [[nodiscard]] const Counts& total() const { return total_; }
  [[nodiscard]] std::size_t batches() const { return batches_; }
  [[nodiscard]] std::size_t failed() const { return failed_.size(); }
  [[nodiscard]] bool complete() const { return failed_.empty() && unreadable_count_ == 0; }

  /// The table goes to standard output, what could not be counted to standard error.
  void print(std::chrono::duration<double> elapsed) const;

 private:
  void print_table() const;
  void print_failures() const;

  std::map<std::string, Counts> groups_;
  Counts total_;
  std::size_t batches_ = 0;
  std::vector<Outcome> failed_;
  std::vector<std::string> unreadable_;  ///< the first of them
  std::size_t unreadable_count_ = 0;
};

}  // namespace scan
