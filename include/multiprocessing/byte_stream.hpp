// The parent's end of a standard stream of its child.
#pragma once

#include <multiprocessing/bytes.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/native_handle.hpp>
#include <multiprocessing/stop_token.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace multiprocessing {

namespace detail {
class ProcessState;
class StreamState;
}  // namespace detail

/// Bytes to or from a child whose stream was opened with Stdio::pipe. Belongs to its Process. One thread
/// at a time.
class MULTIPROCESSING_EXPORT ByteStream {
 public:
  explicit ByteStream(std::unique_ptr<detail::StreamState> state) noexcept;
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;
  ~ByteStream();  ///< closes

  /// Reads what is there, at least one byte; 0 at the end. Blocks. Throws ValueError (closed, an empty
  /// buffer, or the child's input), OSError, CancelledError.
  std::size_t read_some(std::span<std::byte> buffer, StopToken stop = {});
  /// Reads to the end, which is when the child and all who inherited the stream have closed it. Blocks.
  /// Throws as read_some.
  std::vector<std::byte> read_all(StopToken stop = {});
  /// Writes all of it; blocks while the child does not read. Throws OSError (broken pipe: the child reads
  /// no more), ValueError (closed, or the child's output), CancelledError.
  void write(ByteView bytes, StopToken stop = {});
  /// The child reads to the end of file then. Any number of times.
  void close() noexcept;
  /// For an event loop of your own; stays ours. Throws ValueError when closed.
  [[nodiscard]] NativeHandle native() const;

 private:
  friend class detail::ProcessState;
  std::unique_ptr<detail::StreamState> state_;
};

}  // namespace multiprocessing
