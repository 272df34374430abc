// This program's file on Linux, its command line and its title. /proc/self/exe starts the running build
// whatever became of the file, but under qemu-user it is the emulator's: qemu shows the program there only to
// the program itself. It does not know the other name of the link, below thread-self, so a difference between
// the two gives it away. Without /proc the path that the program was started by (AT_EXECFN) has to do. Manual
// pages: proc_pid_exe(5), proc_pid_cmdline(5), getauxval(3).
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "contract/fault.hpp"
#include "contract/system.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "replaced_executable.hpp"
#include "started_by.hpp"

namespace multiprocessing::platform {
namespace {

constexpr const char* own_link = "/proc/self/exe";
constexpr const char* unemulated_link = "/proc/thread-self/exe";
constexpr std::string_view deleted = " (deleted)";
constexpr std::size_t title_size = 15;

Result<std::string> target_of(const char* link) {
  std::string target(PATH_MAX + deleted.size(), '\0');
  const auto size = ::readlink(link, target.data(), target.size());
  if (size == -1) return posix::last_error("readlink");
  if (static_cast<std::size_t>(size) == target.size())
    return Error{Condition::too_long, ENAMETOOLONG, "readlink"};
  target.resize(static_cast<std::size_t>(size));
  return target;
}

// The kernel marks the path of a file that is gone; a file may be called so too.
std::string without_mark(std::string path) {
  if (path.ends_with(deleted) && ::access(path.c_str(), F_OK) != 0) path.resize(path.size() - deleted.size());
  return path;
}

// The same for as long as the process lives.
bool emulated(const std::string& own_target) {
  static const bool differs = [&] {
    const auto target = target_of(unemulated_link);
    return target && *target != own_target;
  }();
  return differs;
}

/// The arguments where the system put them, one behind the other: a later change of the array, as getopt()
/// makes it, changes nothing here. Null: not known.
struct GivenArguments {
  const char* first = nullptr;
  const char* end = nullptr;
};
constinit GivenArguments given;

#if defined(__GLIBC__)
// glibc calls what runs before main() as it calls main(). To read the same from /proc costs a new process the
// fortieth part of a start.
[[gnu::constructor]] void keep_arguments(int count, char** arguments, char**) {
  // A host that opens this library later may have changed its array.
  if (count <= 0 || arguments == nullptr || arguments[0] == nullptr) return;
  for (int i = 1; i < count; ++i)
    if (arguments[i] != arguments[i - 1] + std::strlen(arguments[i - 1]) + 1) return;
  const char* last = arguments[count - 1];
  given = {arguments[0], last + std::strlen(last) + 1};
}
#endif

std::vector<std::string> split_at_zeros(std::string_view text) {
  std::vector<std::string> arguments;
  arguments.reserve(static_cast<std::size_t>(std::ranges::count(text, '\0')) + 1);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\0', at), text.size());
    arguments.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

Result<ExecutablePath> path_it_was_started_by() {
  const auto* name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  if (name == nullptr) return Error{Condition::not_found, ENOENT, "getauxval"};
  const std::unique_ptr<char, decltype(&std::free)> path(::realpath(name, nullptr), &std::free);
  if (!path) return posix::last_error("realpath");
  return ExecutablePath{path.get(), path.get()};
}

Result<ExecutablePath> look_up_path() {
  const auto target = target_of(own_link);
  if (!target && target.error().condition == Condition::too_long) return target.error();
  if (!target) return path_it_was_started_by();
  const std::string real = without_mark(*target);
  return ExecutablePath{emulated(*target) ? real : own_link, real};
}

}  // namespace

namespace posix {

bool replaced_executable_starts() {
  // Asked by every new process, for which a look into /proc is dear.
  if (started_by_link_or_descriptor()) return true;
  const auto target = target_of(own_link);
  return target && !emulated(*target);
}

}  // namespace posix

Result<ExecutablePath> executable_path() {
  if (auto failure = fault_point(Call::executable_path)) return *failure;
  static std::atomic<const ExecutablePath*> known{nullptr};
  if (const auto* path = known.load()) return *path;
  auto found = look_up_path();
  if (!found) return found;
  auto kept = std::make_unique<const ExecutablePath>(*found);
  const ExecutablePath* nothing = nullptr;
  if (known.compare_exchange_strong(nothing, kept.get())) static_cast<void>(kept.release());
  return found;
}

Result<std::vector<std::string>> command_line() {
  if (auto failure = fault_point(Call::command_line)) return *failure;
  if (given.first != nullptr) return split_at_zeros({given.first, given.end});
  // No stream of the standard library: every program that asks starts later by what such a stream needs.
  const auto file = posix::open_file("/proc/self/cmdline", O_RDONLY);
  if (!file) return Error{Condition::not_supported, ENOENT, "open"};
  std::string text;
  for (std::array<char, 4096> piece;;) {
    const auto size =
        posix::retried([&] { return ::read(posix::to_fd(file->get()), piece.data(), piece.size()); });
    if (size < 0) return posix::last_error("read");
    if (size == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(size));
  }
  auto arguments = split_at_zeros(text);
  if (arguments.empty()) return Error{Condition::not_supported, 0, "open"};
  return arguments;
}

void set_process_title(const std::string& title) noexcept {
  std::size_t size = std::min(title.size(), title_size);
  while (size < title.size() && size > 0 && (static_cast<unsigned char>(title[size]) & 0xc0) == 0x80) --size;
  char text[title_size + 1] = {};
  title.copy(text, size);
  if (::syscall(SYS_gettid) == ::getpid()) {
    ::syscall(SYS_prctl, PR_SET_NAME, text, 0, 0, 0);  // prctl() would be one more name to look up
    return;
  }
  // The file names the first thread, whichever calls; prctl names the caller.
  const int file = ::open("/proc/self/comm", O_WRONLY | O_CLOEXEC);
  if (file == -1) {
    ::prctl(PR_SET_NAME, text);
    return;
  }
  if (::write(file, text, size) == -1) ::prctl(PR_SET_NAME, text);
  ::close(file);
}

}  // namespace multiprocessing::platform
