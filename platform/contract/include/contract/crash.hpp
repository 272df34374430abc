// Crash reports: a process that dies of a fatal signal or of a system exception writes one fixed-size
// record about it to a channel, and then dies as it would have without us: same exit code, same core, same
// handlers of others (sanitizers, debuggers).
//
// The record is complete in itself: frames refer to a small table of images in the record (path and hash
// of the key), filled from a table that is made when reports are armed. So the dying process neither
// allocates nor asks the loader, and the reader needs no other message to find names for the frames.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "contract/error.hpp"
#include "contract/handle.hpp"
#include "contract/image.hpp"

namespace multiprocessing::platform {

/// A frame of a crashed thread. `image` is an index into the record's images, or `no_image`: then
/// `offset` is the bare address.
struct CrashFrame {
  static constexpr std::uint64_t no_image = ~std::uint64_t{0};
  std::uint64_t image = no_image;
  std::uint64_t offset = 0;
};

/// An image that frames refer to. A path that does not fit is cut; it always ends with a zero.
struct CrashImage {
  std::uint64_t hash = 0;  ///< `image_hash` of its key
  std::array<char, 232> path = {};
};

/// What is written, in the machine's own byte order: writer and reader are on one machine. Less than 4096
/// bytes together with the prefix, so that a write to a pipe is not torn.
struct CrashRecord {
  static constexpr std::uint32_t expected_magic = 0x4d504352;
  static constexpr std::size_t frame_capacity = 48;
  static constexpr std::size_t image_capacity = 12;

  std::uint32_t magic = 0;    ///< `expected_magic`
  std::int32_t code = 0;      ///< signal number, or the NTSTATUS
  std::int32_t sub_code = 0;  ///< si_code; Windows: 0 read, 1 write, 8 execute for access violations
  std::uint32_t frame_count = 0;
  std::uint64_t fault_address =
      0;  ///< the address that was accessed or executed; 0 where that has no meaning
  std::uint64_t image_count = 0;
  std::array<CrashFrame, frame_capacity> frames = {};  ///< innermost first
  std::array<CrashImage, image_capacity> images = {};
};
static_assert(std::is_trivially_copyable_v<CrashRecord> && sizeof(CrashRecord) + 32 <= 4096);

/// Bytes that a caller may have written in front of the record.
inline constexpr std::size_t crash_prefix_capacity = 32;

/// From now on a crash of any thread of this process writes `prefix` and a CrashRecord to `output` in one
/// write, at most once per process; a full channel is waited for at most one second. Then the handler that
/// was there before takes over, or the system's default.
/// `output` stays the caller's and must stay open. The calling thread can report stack overflow too; other
/// threads can where the system gives each a reserve (`crash_reports_survive_overflow_in_threads`).
/// Handlers that the application installs later win. Arming again replaces output and prefix. A child made
/// by fork() does not report until it arms for itself.
/// Not thread-safe: call it early. Errors: invalid_argument (prefix too long, no handle), not_supported,
/// out_of_memory.
[[nodiscard]] Status arm_crash_reports(RawHandle output, std::span<const std::byte> prefix);

/// Puts the handlers that were there before back, where they are still ours. Not thread-safe.
void disarm_crash_reports() noexcept;

/// From now until release_crash_reports() a crash is not reported: around a message that this process writes
/// to the same output itself, in as many pieces as it takes. A record between two of them would be read as a
/// part of the message; that the stream ends within it says that the process died. Waits for a report that is
/// being written. For one thread at a time, and not to be nested.
void hold_crash_reports() noexcept;
void release_crash_reports() noexcept;

/// Brings the table of images up to date after libraries were loaded: frames in images that it does not
/// know are reported as bare addresses. Thread-safe.
void refresh_crash_images();

/// Whether any thread can report its stack overflow, not only the one that armed.
[[nodiscard]] bool crash_reports_survive_overflow_in_threads() noexcept;

// The next two are defined once for all backends, in platform/contract/crash_record.cpp.

/// Checks a record that came from another process. Errors: corrupt (size, magic, counts, indices, text).
[[nodiscard]] Result<CrashRecord> read_crash_record(std::span<const std::byte> bytes);

/// The record's frames, as `find_symbols` takes them.
[[nodiscard]] std::vector<FrameLocation> crash_frames(const CrashRecord& record);

/// In the system's words: "SIGSEGV (address not mapped), address 0x10",
/// "access violation (0xC0000005) writing address 0x10".
[[nodiscard]] std::string describe_crash(const CrashRecord& record);

}  // namespace multiprocessing::platform
