// What the standard library alone can say of this process and this machine.
#include "contract/system.hpp"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

Result<ExecutablePath> executable_path() {
  if (const auto fault = fault_point(Call::executable_path)) return *fault;
  return not_supported("executable_path");
}

Result<std::vector<std::string>> command_line() {
  if (const auto fault = fault_point(Call::command_line)) return *fault;
  return not_supported("command_line");
}

int cpu_count() noexcept { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }
int process_cpu_count() noexcept { return cpu_count(); }

std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

void set_process_title(const std::string&) noexcept {}
void trust_first_argument() noexcept {}
std::optional<int> thread_count() noexcept { return std::nullopt; }
std::optional<int> open_handle_count() noexcept { return std::nullopt; }
std::optional<std::uint64_t> handle_limit() noexcept { return std::nullopt; }

Status run_in_background(std::function<void()>, StackSize) {
  if (const auto fault = fault_point(Call::run_in_background)) return *fault;
  return not_supported("run_in_background");
}

}  // namespace multiprocessing::platform
