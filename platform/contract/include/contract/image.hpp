// Loaded images (the executable and its shared libraries): names an address so that another process can
// find the same code, finds it again, and turns it into a function's name for stack traces.
//
// An image's base differs from process to process; the distance from the base does not, as long as both
// run the same build. Which build it is, the image's key says. Nothing here calls the code it finds.
// All functions are thread-safe and may take the loader's lock; none is async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "contract/error.hpp"

namespace multiprocessing::platform {

/// What an ImageKey's `id` is made of; its first byte.
enum class ImageIdKind : std::uint8_t {
  build_id = 1,       ///< followed by the linker's id: ELF note, Mach-O UUID, PE debug-directory id
  file_identity = 2,  ///< followed by device, inode, size, time of last change: the image has no id
};

/// Which build of which image.
struct ImageKey {
  std::vector<std::byte> id;  ///< never empty: an ImageIdKind, then its bytes
  std::string name;           ///< file name without folders
  friend bool operator==(const ImageKey&, const ImageKey&) = default;
};

/// A place in an image, meaningful in every process that has the same build of it.
struct CodeLocation {
  ImageKey image;
  std::string path;          ///< where the image was loaded from, absolute; UTF-8
  std::uint64_t offset = 0;  ///< distance from the image's base
  bool main_executable = false;
};

/// Names the loaded image that `address` (code or data) lies in. Works in static and in
/// position-dependent programs and for libraries that were loaded later.
/// Errors: not_found (heap, stack, generated code).
[[nodiscard]] Result<CodeLocation> locate(const void* address);

/// The address of `location` in this process. The main executable is found under any name, other images
/// by name; both must then have the recorded id. Nothing is loaded.
/// Errors: not_found (no such image is loaded), corrupt (it is there, and is another build),
/// invalid_argument (the offset lies outside the image's segments).
[[nodiscard]] Result<const void*> resolve(const CodeLocation& location);

/// Loads the shared library at `path` for the rest of the process's life, and runs its initializers. A
/// library that is loaded already is not loaded twice. May block on the file system.
/// Errors: not_found, permission_denied, corrupt (not a library for this machine, or it needs what is not
/// there), not_supported (a static program that cannot load any).
[[nodiscard]] Status load_image(const std::string& path);

/// Whether [begin, begin + size) lies inside one segment of one loaded image that is mapped for reading:
/// reading it cannot fault.
[[nodiscard]] bool readable_range(const void* begin, std::size_t size) noexcept;

/// Whether `address` lies in a segment of a loaded image that is mapped for execution.
[[nodiscard]] bool executable_address(const void* address) noexcept;

/// A frame of a stack trace as it travels: the place inside the instruction that was executing, or
/// calling the frame before it. (A return address minus one: lookups need no further adjustment.)
struct FrameLocation {
  std::uint64_t image = 0;   ///< `image_hash` of the image's key; 0: in no image, `offset` is the address
  std::string path;          ///< as in CodeLocation; may be cut short or empty
  std::uint64_t offset = 0;  ///< distance from the image's base
};

/// 64 bits that stand for a key in stack traces; never 0. Equal keys have equal hashes in every process.
/// Defined once for all backends, in platform/contract/image_hash.cpp.
[[nodiscard]] std::uint64_t image_hash(const ImageKey& key) noexcept;

/// The frames that lie at `addresses`, in order, one for each.
[[nodiscard]] std::vector<FrameLocation> locate_frames(std::span<const void* const> addresses);

/// What is known of a place in code. Fields that are not known are empty or 0.
struct Symbol {
  std::string function;            ///< demangled
  std::uint64_t displacement = 0;  ///< from the function's start
  std::string file;                ///< source file
  std::uint32_t line = 0;
};

/// What is known of each frame, in order, one for each: from the symbols of this process's image with that
/// hash, else from those of the file at `path`, if that is the same build. Reads each file once; may take
/// tens of milliseconds. Never fails: what is not to be had stays empty.
[[nodiscard]] std::vector<Symbol> find_symbols(std::span<const FrameLocation> frames);

}  // namespace multiprocessing::platform
