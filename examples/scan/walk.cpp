// Finding the files: a stack of open directories, as deep as the tree.
#include "walk.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace scan {
namespace {

namespace fs = std::filesystem;

std::string to_utf8(const fs::path& path) {
  const std::u8string text = path.u8string();
  return {text.begin(), text.end()};
}

bool is_below(const fs::path& path, const fs::path& directory) {
  return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first == directory.end();
}

std::vector<fs::path> without_nested(const std::vector<std::string>& directories) {
  std::vector<fs::path> roots;
  for (const std::string& name : directories) {
    const fs::path root = fs::canonical(std::u8string(name.begin(), name.end()));
    const auto covers = [&](const fs::path& other) { return is_below(root, other); };
    if (std::any_of(roots.begin(), roots.end(), covers)) continue;
    std::erase_if(roots, [&](const fs::path& other) { return is_below(other, root); });
    roots.push_back(root);
  }
  return roots;
}

}  // namespace

Walk::Walk(const Options& options)
    : grouping_(options.grouping), roots_(without_nested(options.directories)) {
  std::reverse(roots_.begin(), roots_.end());
}

std::optional<File> Walk::next() {
  for (;;) {
    if (open_.empty()) {
      if (roots_.empty()) return std::nullopt;
      root_ = std::move(roots_.back());
      roots_.pop_back();
      enter(root_);
      continue;
    }
    if (open_.back() == fs::directory_iterator()) {
      open_.pop_back();
      continue;
    }
    std::error_code error;
    const fs::directory_entry entry = *open_.back();
    const fs::file_type type = entry.symlink_status(error).type();
    open_.back().increment(error);
    if (error) unreadable_.push_back(to_utf8(entry.path().parent_path()) + ": " + error.message());
    if (type == fs::file_type::directory) enter(entry.path());
    if (type == fs::file_type::regular) return File{to_utf8(entry.path()), group_of(entry.path())};
  }
}

void Walk::enter(const fs::path& directory) {
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  if (error)
    unreadable_.push_back(to_utf8(directory) + ": " + error.message());
  else
    open_.push_back(std::move(entries));
}

std::string Walk::group_of(const fs::path& path) const {
  if (grouping_ == Grouping::extension) return path.has_extension() ? to_utf8(path.extension()) : "(none)";
  const auto depth = std::distance(root_.begin(), root_.end());
  const fs::path first = *std::next(path.begin(), depth);
  return to_utf8(first == path.filename() && path.parent_path() == root_ ? root_ : root_ / first);
}

}  // namespace scan
