// This program's file and command line on macOS, from the loader; a replaced file cannot be started any more.
// There is no affinity, no quota of processors, and no title that tools would show. Manual pages: dyld(3),
// crt_externs.h.
#include <crt_externs.h>
#include <mach-o/dyld.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "contract/fault.hpp"
#include "contract/system.hpp"
#include "error.hpp"
#include "processors.hpp"
#include "replaced_executable.hpp"

namespace multiprocessing::platform {

Result<ExecutablePath> executable_path() {
  if (auto failure = fault_point(Call::executable_path)) return *failure;
  std::uint32_t size = 0;
  _NSGetExecutablePath(nullptr, &size);
  std::string path(size, '\0');
  if (_NSGetExecutablePath(path.data(), &size) != 0) return Error{Condition::too_long, ENAMETOOLONG, "dyld"};
  path.resize(path.find('\0'));
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (real) path = real.get();
  return ExecutablePath{path, path};
}

Result<std::vector<std::string>> command_line() {
  if (auto failure = fault_point(Call::command_line)) return *failure;
  char** const arguments = *_NSGetArgv();
  return std::vector<std::string>(arguments, arguments + *_NSGetArgc());
}

void set_process_title(const std::string&) noexcept {}
void trust_first_argument() noexcept {}

namespace posix {

bool replaced_executable_starts() { return false; }
std::optional<int> allowed_processors() noexcept { return std::nullopt; }
std::optional<int> processor_quota() { return std::nullopt; }

}  // namespace posix
}  // namespace multiprocessing::platform
