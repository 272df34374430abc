// A copy of the list of modules that can be searched without the loader: for stack traces, and for the report
// of a crash, which may not take the loader's lock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

struct ModuleSnapshot {
  struct Module {
    std::uintptr_t begin = 0, end = 0;
    std::uint64_t hash = 0;  ///< `image_hash` of its key
    std::string path;
  };
  std::vector<Module> modules;  ///< by address

  [[nodiscard]] static ModuleSnapshot take();
  /// What a snapshot knows of one module. To know it of all takes a system call and more for each of some
  /// dozens.
  [[nodiscard]] static Module describe(HMODULE module);
  /// The module that holds `address`, or nullptr. Takes no lock and allocates nothing.
  [[nodiscard]] const Module* find(std::uintptr_t address) const noexcept;
};

}  // namespace multiprocessing::platform::win32
