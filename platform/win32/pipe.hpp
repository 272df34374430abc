// Pairs of connected pipe ends: the kernel object under Channel and StreamPipe.
#pragma once

#include "contract/channel.hpp"
#include "win32.hpp"

namespace multiprocessing::platform::win32 {

/// Of each direction: what an end takes in although nobody reads at the other.
constexpr DWORD pipe_buffer_size = 64 * 1024;

/// Who may do what with which end. The server's end is always overlapped.
struct PipeShape {
  DWORD server_access = PIPE_ACCESS_DUPLEX;
  DWORD client_access = GENERIC_READ | GENERIC_WRITE;
  DWORD client_flags = FILE_FLAG_OVERLAPPED;
};

struct PipeEnds {
  Handle server;
  Handle client;
};

/// A security descriptor that grants everything to the user this process runs as, and nothing to others. The
/// answer points to what lives as long as the process. Errors: other.
[[nodiscard]] Result<SECURITY_ATTRIBUTES> only_this_user();

/// 32 random hexadecimal digits.
[[nodiscard]] Result<std::wstring> random_digits();

/// What the handle has pending outlives the thread that began it, from now on; the event of each operation
/// has to be unported(). Harmless if somebody did it before.
void outlive_threads(RawHandle handle) noexcept;
/// The event with the low bit that keeps a completion out of the port behind outlive_threads().
[[nodiscard]] HANDLE unported(const Handle& event) noexcept;
/// Whether outlive_threads() can work. Errors: out_of_memory, other.
[[nodiscard]] Status can_outlive_threads() noexcept;

/// Under a random name that only this user may open, and nobody after it returns. Neither end is inheritable.
[[nodiscard]] Result<PipeEnds> make_pipe(const PipeShape& shape);

/// Whether it is an end of a pipe on which reads and writes need not block.
[[nodiscard]] bool is_overlapped_pipe(RawHandle handle) noexcept;
/// What the handle grants; nothing if it is none.
[[nodiscard]] StreamUse access_to_pipe(RawHandle handle) noexcept;

/// The process at the other end of a pipe that two processes made, each an end: 0 (nobody), if this process
/// is neither of them. An end of a pipe that one process made may be anybody's.
inline constexpr DWORD nobody = 0;
inline constexpr DWORD anybody = MAXDWORD;
[[nodiscard]] DWORD peer_of_pipe(RawHandle pipe) noexcept;

/// Whether both ends were made by that process.
[[nodiscard]] bool was_made_by(RawHandle pipe, DWORD pid) noexcept;

}  // namespace multiprocessing::platform::win32
