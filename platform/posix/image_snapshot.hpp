// A copy of the list of images that can be searched without the loader: for stack traces, and for signal
// handlers, which may not take the loader's lock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace multiprocessing::platform::posix {

struct ImageSnapshot {
  struct Image {
    std::uint64_t hash = 0;
    std::uintptr_t base = 0;
    std::string path;
    bool main_executable = false;
  };
  struct Range {
    std::uintptr_t begin = 0, end = 0;
    std::size_t image = 0;  ///< index into `images`
  };
  std::vector<Image> images;
  std::vector<Range> ranges;  ///< the executable segments

  [[nodiscard]] static ImageSnapshot take();
  /// The images as they are; in a forked child those that were known before the fork, if any were: another
  /// thread of its parent may have held the loader's lock.
  [[nodiscard]] static std::shared_ptr<const ImageSnapshot> current();
  /// What current() answers in children that are forked from now on; lives for ever.
  static void remember(const ImageSnapshot& snapshot) noexcept;
  /// In a forked child.
  static void stay_with_remembered() noexcept;
  [[nodiscard]] static bool stays_with_remembered() noexcept;
  /// The range that holds `address`, or nullptr. Async-signal-safe.
  [[nodiscard]] const Range* find(std::uintptr_t address) const noexcept;
};

}  // namespace multiprocessing::platform::posix
