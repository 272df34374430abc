// What the fault tests have in common: a file in which every process of a test marks what was injected, a
// child's environment, and which errors are a proper report of a failed call.
#pragma once

#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>

#include "contract/fault.hpp"
#include "contract/process.hpp"

namespace faults {

/// A result or an end that no injected failure explains. No error of the library, so that nothing that
/// catches those can swallow it.
struct WrongOutcome {
  std::string text;
};

/// The file that counts injected failures. One for each process that makes a plan.
class Marks {
 public:
  Marks()
      : path_(std::filesystem::temp_directory_path() /
              ("mp_fault_marks_" + std::to_string(multiprocessing::platform::current_pid()))) {
    forget();
  }
  Marks(const Marks&) = delete;
  Marks& operator=(const Marks&) = delete;
  ~Marks() { forget(); }

  [[nodiscard]] std::string path() const { return path_.string(); }
  void forget() const {
    std::error_code none;
    std::filesystem::remove(path_, none);
  }
  /// How many failures were injected since forget(), in this process and in others.
  [[nodiscard]] std::uint64_t count() const {
    std::error_code none;
    const auto size = std::filesystem::file_size(path_, none);
    return none ? 0 : size;
  }

 private:
  std::filesystem::path path_;
};

/// What a child needs on any system and under any sanitizer.
inline std::map<std::string, std::string> plain_environment() {
  std::map<std::string, std::string> environment;
  for (const char* name : {"SystemRoot", "PATH", "HOME", "TMP", "TEMP", "WINEPREFIX", "WINEDEBUG",
                           "LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "MULTIPROCESSING_FORCE"})
    if (const char* value = std::getenv(name)) environment[name] = value;
  return environment;
}

/// Whether the exception that is being handled is one by which the library reports that a call of the system
/// failed, here or in a child: not one that blames the caller or the clock.
inline bool reports_a_failed_call() {
  try {
    throw;
  } catch (const multiprocessing::OSError&) {
    return true;
  } catch (const multiprocessing::ProcessExitedException&) {
    return true;
  } catch (const multiprocessing::RuntimeError&) {
    return true;  // the target's code is not found
  } catch (...) {
    return false;
  }
}

/// Text of the exception that is being handled.
inline std::string current_text() {
  try {
    throw;
  } catch (const WrongOutcome& wrong) {
    return wrong.text;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is none of the standard library";
  }
}

}  // namespace faults
