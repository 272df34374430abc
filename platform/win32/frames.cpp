// Stack frames: from addresses to (module, offset) pairs in the process that has them, and from those to
// names in the process that reads them. Names come from the module's own file, so that a module that only the
// other process had loaded is read too, if its file is still that build.
#include <map>

#include "module.hpp"
#include "module_snapshot.hpp"
#include "symbols.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

/// A file as a module that is looked at only: its sections lie where they would, and nothing of it runs.
class FileAsModule {
 public:
  explicit FileAsModule(const std::string& path) {
    const auto wide = widen_path(path);
    if (wide) loaded_ = LoadLibraryExW(wide->c_str(), nullptr, LOAD_LIBRARY_AS_IMAGE_RESOURCE);
  }
  FileAsModule(const FileAsModule&) = delete;
  FileAsModule& operator=(const FileAsModule&) = delete;
  ~FileAsModule() {
    if (loaded_ != nullptr) FreeLibrary(loaded_);
  }
  /// Null where there is none.
  [[nodiscard]] HMODULE get() const noexcept {
    // The lowest bits of such a handle say how it was loaded.
    constexpr std::uintptr_t marks = 3;
    return reinterpret_cast<HMODULE>(reinterpret_cast<std::uintptr_t>(loaded_) & ~marks);
  }

 private:
  HMODULE loaded_ = nullptr;
};

/// The module with the file `path` that is loaded here, or null.
HMODULE loaded_from(const std::string& path) noexcept {
  const auto wide = widen_path(path);
  return wide ? GetModuleHandleW(wide->c_str()) : nullptr;
}

/// The file to read names from; empty if there is none of that build.
std::string file_of(std::uint64_t image, const std::string& path) {
  const HMODULE loaded = loaded_from(path);
  if (loaded != nullptr && ModuleSnapshot::describe(loaded).hash == image) return path;
  for (const ModuleSnapshot::Module& module : ModuleSnapshot::take().modules) {
    if (module.hash == image) return module.path;
  }
  const FileAsModule file(path);
  const bool same = file.get() != nullptr && image_hash(key_of(file.get(), path)) == image;
  return same ? path : std::string();
}

/// The frames of one module.
struct FileGroup {
  std::string path;
  std::vector<std::size_t> frames;
  std::vector<std::uint64_t> offsets;
};

void read_group(std::uint64_t image, const FileGroup& group, std::vector<Symbol>& symbols) {
  const std::string file = file_of(image, group.path);
  if (file.empty()) return;
  auto found = read_coff_symbols(file, group.offsets);
  if (found.empty()) found = look_up_symbols(file, group.offsets);
  for (std::size_t i = 0; i < found.size(); ++i) symbols[group.frames[i]] = std::move(found[i]);
}

}  // namespace

std::vector<FrameLocation> locate_frames(std::span<const void* const> addresses) {
  std::map<HMODULE, ModuleSnapshot::Module> known;
  std::vector<FrameLocation> frames;
  frames.reserve(addresses.size());
  for (const void* address : addresses) {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    const HMODULE at = module_at(address);
    if (at == nullptr) {
      frames.push_back({0, {}, number});
      continue;
    }
    auto found = known.find(at);
    if (found == known.end()) found = known.emplace(at, ModuleSnapshot::describe(at)).first;
    const ModuleSnapshot::Module& module = found->second;
    frames.push_back({module.hash, module.path, number - module.begin});
  }
  return frames;
}

std::vector<Symbol> find_symbols(std::span<const FrameLocation> frames) {
  std::map<std::uint64_t, FileGroup> groups;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames[i].image == 0) continue;
    FileGroup& group = groups[frames[i].image];
    group.path = frames[i].path;
    group.frames.push_back(i);
    group.offsets.push_back(frames[i].offset);
  }
  std::vector<Symbol> symbols(frames.size());
  for (const auto& [image, group] : groups) read_group(image, group, symbols);
  return symbols;
}

}  // namespace multiprocessing::platform
