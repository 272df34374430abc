// Finding the files: a walk over trees that hands out one file after the other and keeps none.
#pragma once

#include "options.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace scan {

struct File {
  std::string path;   ///< UTF-8
  std::string group;  ///< the row of the table that it is counted in
};

/// Regular files only; symbolic links are not followed. Directories given twice, or one inside the other,
/// are walked once.
class Walk {
 public:
  explicit Walk(const Options& options);

  /// nullopt at the end.
  std::optional<File> next();
  /// A line for each directory that could not be read.
  [[nodiscard]] const std::vector<std::string>& unreadable() const { return unreadable_; }

 private:
  void enter(const std::filesystem::path& directory);
  [[nodiscard]] std::string group_of(const std::filesystem::path& path) const;

  Grouping grouping_;
  std::vector<std::filesystem::path> roots_;  ///< canonical, the next one last
  std::filesystem::path root_;
  std::vector<std::filesystem::directory_iterator> open_;  ///< from the root down
  std::vector<std::string> unreadable_;
};

}  // namespace scan
