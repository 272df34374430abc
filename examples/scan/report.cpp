// The table: the largest groups, the rest of them in one row, the sum, and what is missing from it.
#include "report.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <string_view>
#include <utility>

namespace scan {
namespace {

constexpr std::size_t max_rows = 20;
constexpr std::size_t max_lines = 20;

using Row = std::pair<std::string, Counts>;

std::vector<Row> largest_first(const std::map<std::string, Counts>& groups) {
  std::vector<Row> rows(groups.begin(), groups.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.second.bytes > b.second.bytes; });
  if (rows.size() <= max_rows) return rows;
  Row others("(" + std::to_string(rows.size() - max_rows + 1) + " others)", {});
  for (std::size_t i = max_rows - 1; i < rows.size(); ++i) others.second += rows[i].second;
  rows.resize(max_rows - 1);
  rows.push_back(std::move(others));
  return rows;
}

std::string_view without_newline(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

void print_row(std::size_t width, const std::string& name, const Counts& counts) {
  std::cout << std::left << std::setw(static_cast<int>(width)) << name << std::right << std::setw(10)
            << counts.files << std::setw(13) << counts.lines << std::setw(13) << counts.words << std::setw(15)
            << counts.bytes << std::setw(10) << std::fixed << std::setprecision(2) << counts.seconds << '\n';
}

}  // namespace

void Report::Lines::add(std::string line) {
  if (count++ < max_lines) first.push_back(std::move(line));
}

void Report::Lines::print(const char* what) const {
  for (const std::string& line : first) std::cerr << line << '\n';
  if (count > first.size()) std::cerr << count - first.size() << " more " << what << '\n';
}

void Report::add(const File& file, const FileCounts& counted) {
  if (!counted.unreadable.empty()) {
    unreadable_.add(file.path + ": " + counted.unreadable);
    return;
  }
  groups_[file.group] += counted.counts;
  total_ += counted.counts;
}

void Report::add_failed(const File& file, const std::string& reason) {
  failed_.add(file.path + ": " + std::string(without_newline(reason)));
}

void Report::add_unreadable(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) unreadable_.add(line);
}

void Report::print(std::chrono::duration<double> elapsed) const {
  print_table();
  std::cout << total_.files + failed_.count << " files, " << failed_.count << " failed, " << unreadable_.count
            << " unreadable, " << std::fixed << std::setprecision(2) << elapsed.count() << " s" << std::endl;
  failed_.print("failed");
  unreadable_.print("could not be read");
}

void Report::print_table() const {
  const std::vector<Row> rows = largest_first(groups_);
  std::size_t width = 10;
  for (const Row& row : rows) width = std::max(width, row.first.size() + 1);
  std::cout << std::left << std::setw(static_cast<int>(width)) << "" << std::right << std::setw(10) << "files"
            << std::setw(13) << "lines" << std::setw(13) << "words" << std::setw(15) << "bytes"
            << std::setw(10) << "seconds" << '\n';
  for (const auto& [name, counts] : rows) print_row(width, name, counts);
  print_row(width, "total", total_);
}

}  // namespace scan
