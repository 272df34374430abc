// Pairs of connected pipe ends: the kernel object under Channel and StreamPipe.
#pragma once

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

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

/// Under a random name that only this user may open, and nobody after it returns. Neither end is inheritable.
[[nodiscard]] Result<PipeEnds> make_pipe(const PipeShape& shape);

/// Whether it is an end of a pipe on which reads and writes need not block.
[[nodiscard]] bool is_overlapped_pipe(RawHandle handle) noexcept;

/// Whether both ends were made by that process.
[[nodiscard]] bool was_made_by(RawHandle pipe, DWORD pid) noexcept;

}  // namespace multiprocessing::platform::win32
