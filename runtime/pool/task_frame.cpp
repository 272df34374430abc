// Frames between a pool and its workers, written and read.
#include "pool/task_frame.hpp"

#include <algorithm>
#include <multiprocessing/detail/archive.hpp>

namespace multiprocessing::runtime {
namespace {

// Many a reader never sees more than a few headers, and untouched memory costs more than they do.
constexpr std::size_t first_buffer_size = 4 * 1024;
constexpr std::size_t buffer_size = 64 * 1024;
// What a read is given beyond what is there; more would be cleared again and again.
constexpr std::size_t read_at_once = 256 * 1024;

template <class T>
std::byte* put(std::byte* place, T value) noexcept {
  detail::to_little_endian(value, place);
  return place + sizeof value;
}

template <class T>
std::byte* get(std::byte* place, T& value) noexcept {
  value = detail::from_little_endian<T>(place);
  return place + sizeof value;
}

bool is_known(std::uint32_t kind) noexcept {
  return kind >= static_cast<std::uint32_t>(TaskFrameKind::function) &&
         kind <= static_cast<std::uint32_t>(TaskFrameKind::failed);
}

}  // namespace

void append_frame(std::vector<std::byte>& bytes, TaskFrame frame, std::span<const std::byte> body,
                  std::span<const std::byte> rest) {
  frame.size = body.size() + rest.size();
  const std::size_t before = bytes.size();
  bytes.resize(before + task_frame_size + body.size() + rest.size());
  std::byte* place = bytes.data() + before;
  place = put(place, static_cast<std::uint32_t>(frame.kind));
  place = put(place, frame.function);
  place = put(place, frame.task);
  place = put(place, frame.first);
  place = put(place, frame.count);
  place = put(place, frame.one_by_one);
  place = put(place, frame.microseconds);
  place = put(place, frame.size);
  place = std::copy(body.begin(), body.end(), place);
  std::copy(rest.begin(), rest.end(), place);
}

bool TaskFrameReader::begin_frame() noexcept {
  std::array<std::byte, task_frame_size> header;
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), header.size(), header.begin());
  begin_ += header.size();
  std::uint32_t kind = 0;
  std::byte* place = get(header.data(), kind);
  place = get(place, frame_.function);
  place = get(place, frame_.task);
  place = get(place, frame_.first);
  place = get(place, frame_.count);
  place = get(place, frame_.one_by_one);
  place = get(place, frame_.microseconds);
  get(place, frame_.size);
  frame_.kind = static_cast<TaskFrameKind>(kind);
  constexpr auto longest = std::uint64_t{1} << 62;
  return is_known(kind) && frame_.size < longest;
}

std::span<std::byte> TaskFrameReader::place_to_read() {
  if (buffer_.empty()) buffer_.resize(first_buffer_size);
  if (in_body_ && frame_.size - filled_ >= buffer_size) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(frame_.size, filled_ + read_at_once));
    // A length is a promise: memory comes with what arrives, and doubles.
    if (body_.capacity() < wanted)
      body_.reserve(static_cast<std::size_t>(
          std::min<std::uint64_t>(frame_.size, std::max<std::uint64_t>(wanted, 2 * body_.capacity()))));
    body_.resize(wanted);
    return std::span(body_).subspan(filled_);
  }
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  return std::span(buffer_).subspan(end_);
}

TaskFrameReader::State TaskFrameReader::advance(platform::Channel& channel, platform::Deadline deadline) {
  if (delivered_) {
    in_body_ = delivered_ = false;
    body_.clear();
    filled_ = 0;
  }
  for (;;) {
    if (!in_body_ && end_ - begin_ >= task_frame_size) {
      if (!begin_frame()) return State::corrupt;
      in_body_ = true;
    }
    if (in_body_) {
      const auto here = std::min<std::uint64_t>(end_ - begin_, frame_.size - filled_);
      const auto from = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_);
      const auto count = static_cast<std::size_t>(here);
      body_.resize(filled_ + count);
      std::copy_n(from, count, body_.begin() + static_cast<std::ptrdiff_t>(filled_));
      begin_ += count;
      filled_ += count;
      if (filled_ == frame_.size) {
        delivered_ = true;
        return State::complete;
      }
    }
    const bool waits = deadline.is_never();
    if (drained_ && !waits) {
      drained_ = false;
      return State::waiting;
    }
    const auto place = place_to_read();
    const bool direct = place.data() != buffer_.data() + end_;
    auto look = waits ? attention_.next() : platform::Look();
    const auto got = waits ? channel.read_some(place, deadline, nullptr, &look) : channel.read_some(place);
    attention_.note(look);
    if (direct) body_.resize(filled_ + (got ? *got : 0));
    if (!got && got.error().condition == platform::Condition::would_block) return State::waiting;
    if (!got || *got == 0) return State::ended;
    drained_ = *got < place.size();
    if (direct) {
      filled_ += *got;
    } else {
      end_ += *got;
      if (end_ == buffer_.size() && end_ < buffer_size) buffer_.resize(buffer_size);
    }
  }
}

}  // namespace multiprocessing::runtime
