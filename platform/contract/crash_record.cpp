// Crash records as they are read: the same for every backend.
#include <algorithm>
#include <cstring>

#include "contract/crash.hpp"

namespace multiprocessing::platform {
namespace {

bool well_formed(const CrashRecord& record) {
  if (record.magic != CrashRecord::expected_magic) return false;
  if (record.frame_count > record.frames.size() || record.image_count > record.images.size()) return false;
  for (std::size_t i = 0; i < record.frame_count; ++i) {
    const std::uint64_t image = record.frames[i].image;
    if (image != CrashFrame::no_image && image >= record.image_count) return false;
  }
  return std::all_of(record.images.begin(), record.images.end(),
                     [](const CrashImage& image) { return image.path.back() == '\0'; });
}

}  // namespace

Result<CrashRecord> read_crash_record(std::span<const std::byte> bytes) {
  CrashRecord record;
  if (bytes.size() == sizeof(record)) {
    std::memcpy(&record, bytes.data(), sizeof(record));
    if (well_formed(record)) return record;
  }
  return Error{Condition::corrupt, 0, "read_crash_record"};
}

std::vector<FrameLocation> crash_frames(const CrashRecord& record) {
  std::vector<FrameLocation> frames;
  for (std::size_t i = 0; i < record.frame_count; ++i) {
    const CrashFrame& frame = record.frames[i];
    if (frame.image == CrashFrame::no_image) {
      frames.push_back({0, {}, frame.offset});
    } else {
      const CrashImage& image = record.images[frame.image];
      frames.push_back({image.hash, image.path.data(), frame.offset});
    }
  }
  return frames;
}

}  // namespace multiprocessing::platform
