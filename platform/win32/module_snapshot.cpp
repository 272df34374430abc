// The list of modules, copied from the loader.
#include "module_snapshot.hpp"

#include <algorithm>

#include "module.hpp"

namespace multiprocessing::platform::win32 {

ModuleSnapshot ModuleSnapshot::take() {
  ModuleSnapshot snapshot;
  for (const HMODULE module : loaded_modules()) snapshot.modules.push_back(describe(module));
  std::sort(snapshot.modules.begin(), snapshot.modules.end(),
            [](const Module& a, const Module& b) { return a.begin < b.begin; });
  return snapshot;
}

ModuleSnapshot::Module ModuleSnapshot::describe(HMODULE module) {
  const auto begin = reinterpret_cast<std::uintptr_t>(module);
  std::string path = module_path(module);
  const std::uint64_t hash = image_hash(key_of(module, path));
  return {begin, begin + mapped_size(module), hash, std::move(path)};
}

const ModuleSnapshot::Module* ModuleSnapshot::find(std::uintptr_t address) const noexcept {
  const auto after =
      std::upper_bound(modules.begin(), modules.end(), address,
                       [](std::uintptr_t value, const Module& module) { return value < module.begin; });
  if (after == modules.begin() || address >= std::prev(after)->end) return nullptr;
  return &*std::prev(after);
}

}  // namespace multiprocessing::platform::win32
