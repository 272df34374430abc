// The running executable: /proc/self/exe opens it whatever became of its name. Manual pages: proc(5),
// getauxval(3), program_invocation_name(3).
#include <atomic>
#include <cerrno>
#include <climits>
#include <string_view>

#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/system.hpp"
#include "mapped_images.hpp"
#include "started_by.hpp"

namespace multiprocessing::platform {
namespace posix {
namespace {
std::atomic<bool> trusted = false;
}

std::string executable_file() { return "/proc/self/exe"; }

bool started_by_link_or_descriptor() noexcept {
  const auto* executed = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  if (executed == nullptr) return false;
  const std::string_view path = executed;
  return path == "/proc/self/exe" || path.starts_with("/dev/fd/");
}

// Whether `path` leads to the file that runs here.
bool is_this_program(const char* path) noexcept {
  struct stat named {};
  struct stat running {};
  return ::stat(path, &named) == 0 && ::stat("/proc/self/exe", &running) == 0 &&
         named.st_dev == running.st_dev && named.st_ino == running.st_ino;
}

// The name that the program had when it was first asked for. To read the link costs a new process as much as
// twenty other system calls; this library's child got the name as argv[0]. Who else starts programs by open
// files may have called it anything.
std::string executable_name() {
  static const std::string& name = *new std::string([]() -> std::string {
    const char* given = program_invocation_name;
    if (started_by_link_or_descriptor() && given != nullptr && *given == '/' &&
        (trusted || is_this_program(given)))
      return given;
    std::string path(PATH_MAX, '\0');
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
    path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    // The kernel marks a file that was deleted or replaced; the name stays the same for us.
    constexpr std::string_view mark = " (deleted)";
    if (path.ends_with(mark) && ::access(path.c_str(), F_OK) != 0) path.resize(path.size() - mark.size());
    return path;
  }());
  return name;
}

}  // namespace posix

void trust_first_argument() noexcept { posix::trusted = true; }

}  // namespace multiprocessing::platform
