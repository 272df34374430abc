// Finding the files: a walk over trees that hands out one batch after the other and keeps none.
#pragma once

#include "count.hpp"
#include "options.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace scan {

/// Regular files only; symbolic links are not followed. Directories given twice, or one inside the other,
/// are walked once.
class Walk {
 public:
  explicit Walk(const Options& options);

  /// The next files, at most `--batch` of them and hardly more than some megabytes; nullopt at the end.
  std::optional<std::vector<File>> next();
  /// A line for each directory that could not be read.
  [[nodiscard]] const std::vector<std::string>& unreadable() const { return unreadable_; }

 private:
  /// The next regular file, below any root; false at the end.
  bool advance(std::filesystem::directory_entry& found);
  void enter(const std::filesystem::path& directory);
  [[nodiscard]] std::string group_of(const std::filesystem::path& path) const;

  std::size_t batch_;
  Grouping grouping_;
  std::vector<std::filesystem::path> roots_;  ///< canonical, the next one last
  std::filesystem::path root_;
  std::vector<std::filesystem::directory_iterator> open_;  ///< from the root down
  std::vector<std::string> unreadable_;
};

}  // namespace scan
