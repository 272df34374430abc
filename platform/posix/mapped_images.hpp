// What the loader of each system tells about the images of this process. Leaves: elf/ (with one line for
// each ELF system), macos/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "contract/image.hpp"

namespace multiprocessing::platform::posix {

struct Segment {
  std::uintptr_t begin = 0, end = 0;
  bool readable = false, executable = false;
  [[nodiscard]] bool contains(std::uintptr_t address) const noexcept {
    return begin <= address && address < end;
  }
};

/// An image as the loader shows it; valid while it is visited.
struct MappedImage {
  std::uintptr_t base = 0;  ///< what offsets count from
  const char* path = "";    ///< as the loader knows it: may be relative, or empty for the executable
  bool main_executable = false;
  std::span<const Segment> segments;
  std::span<const std::byte> build_id;  ///< empty if it has none
};

/// Calls `visit(image, argument)` for each image, the executable first, until it answers true. Whether one
/// did. Holds the loader's lock meanwhile.
bool visit_mapped_images(bool (*visit)(const MappedImage&, void*), void* argument);

template <class Visitor>
bool visit_mapped_images(Visitor&& visitor) {
  using Function = std::remove_reference_t<Visitor>;
  return visit_mapped_images(
      [](const MappedImage& image, void* f) { return (*static_cast<Function*>(f))(image); },
      const_cast<void*>(static_cast<const void*>(std::addressof(visitor))));
}

/// Another number after a library was loaded or unloaded.
[[nodiscard]] std::uint64_t loader_generation() noexcept;

/// Something that opens the running executable even where its file was replaced, if the system has that;
/// else its path.
[[nodiscard]] std::string executable_file();
/// Its path, for people; may not exist any more.
[[nodiscard]] std::string executable_name();

/// Functions at `offsets` of the image in `file`, one for each; empty names where there is none. Nothing
/// at all if the file is not the build that `image` (an `image_hash`) stands for. `base` is where the
/// image lies in this process, nullopt if it does not.
[[nodiscard]] std::vector<Symbol> read_symbols(const std::string& file, std::uint64_t image,
                                               std::optional<std::uintptr_t> base,
                                               std::span<const std::uint64_t> offsets);

/// Adds the source line of an address of this process, where debug information and a reader of it exist.
void add_source_line(const void* address, Symbol& symbol);

/// The key of an image whose file is `path`: by its build id, else by what the system says of `file`.
[[nodiscard]] ImageKey make_image_key(std::span<const std::byte> build_id, const std::string& path,
                                      const std::string& file);

/// The function's name as it is written in source.
[[nodiscard]] std::string demangle(const char* name);

}  // namespace multiprocessing::platform::posix
