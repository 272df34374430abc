// The running executable: the kernel knows its path; /proc is seldom mounted. Manual page: sysctl(3).
#include <sys/sysctl.h>
#include <sys/types.h>

#include <climits>
#include <cstring>

#include "mapped_images.hpp"

namespace multiprocessing::platform::posix {

std::string executable_file() {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
  std::string path(PATH_MAX, '\0');
  std::size_t size = path.size();
  if (::sysctl(name, 4, path.data(), &size, nullptr, 0) != 0) return {};
  path.resize(std::strlen(path.c_str()));
  return path;
}

std::string executable_name() { return executable_file(); }

}  // namespace multiprocessing::platform::posix
