// Answers from the platform's capabilities.
#include "test_support/abilities.hpp"

#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "contract/capabilities.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::test_support {

bool forks() { return platform::capabilities().fork; }
bool forks_by_default() { return platform::capabilities().fork_is_default; }
bool has_signals() { return platform::capabilities().signals; }
bool limits_memory() {
  for (const char* name : {"MULTIPROCESSING_TEST_EMULATED", "MULTIPROCESSING_SANITIZED"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return false;
  return platform::capabilities().memory_limits;
}
bool forks_beside_threads() {
  // A user-mode emulator starts other programs by its launcher, and forks with its own locks as they are.
  const char* launcher = std::getenv("MULTIPROCESSING_TEST_LAUNCHER");
  if (launcher != nullptr && *launcher != '\0') return false;
  const char* sanitizers = std::getenv("MULTIPROCESSING_SANITIZED");
  return sanitizers == nullptr || std::string_view(sanitizers).find("address") == std::string_view::npos;
}
bool is_slow() { return slow(); }
bool names_throws() { return platform::capabilities().throw_traces && platform::capabilities().symbol_names; }
bool names_crashes() {
  return platform::capabilities().crash_stacks && platform::capabilities().symbol_names;
}
bool survives_replacement() { return platform::capabilities().replaced_executable; }
bool knows_what_was_sent() { return platform::capabilities().half_close; }
bool drops_unreceived_handles() { return platform::capabilities().drops_unreceived_handles; }

}  // namespace multiprocessing::test_support
