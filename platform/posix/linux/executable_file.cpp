// The running executable: /proc/self/exe opens it whatever became of its name. Manual page: proc(5).
#include <climits>
#include <string_view>

#include <unistd.h>

#include "mapped_images.hpp"

namespace multiprocessing::platform::posix {

std::string executable_file() { return "/proc/self/exe"; }

std::string executable_name() {
  std::string path(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  // The kernel marks a file that was deleted or replaced; the name stays the same for us.
  constexpr std::string_view mark = " (deleted)";
  if (path.ends_with(mark) && ::access(path.c_str(), F_OK) != 0) path.resize(path.size() - mark.size());
  return path;
}

}  // namespace multiprocessing::platform::posix
