// Frames between a pool and its workers, written and read.
#include "pool/task_frame.hpp"

#include <algorithm>
#include <multiprocessing/detail/archive.hpp>
#include <type_traits>

namespace multiprocessing::runtime {
namespace {

// Many a reader never sees more than a few headers, and untouched memory costs more than they do.
constexpr std::size_t first_buffer_size = 4 * 1024;
constexpr std::size_t buffer_size = 64 * 1024;
// What a read is given beyond what is there; more would be cleared again and again.
constexpr std::size_t read_at_once = 256 * 1024;

/// Each field of a header, in its order.
template <class Frame, class Kind, class Visit>
void visit_fields(Frame& frame, Kind& kind, Visit visit) noexcept {
  visit(kind);
  visit(frame.function);
  visit(frame.task);
  visit(frame.first);
  visit(frame.count);
  visit(frame.one_by_one);
  visit(frame.microseconds);
  visit(frame.size);
}

TaskFrame header_at(std::span<const std::byte> buffer, std::size_t begin) noexcept {
  std::array<std::byte, task_frame_size> header;
  std::ranges::copy(buffer.subspan(begin, header.size()), header.begin());
  TaskFrame frame;
  std::uint32_t kind = 0;
  std::byte* place = header.data();
  visit_fields(frame, kind, [&place](auto& value) noexcept {
    value = detail::from_little_endian<std::remove_reference_t<decltype(value)>>(place);
    place += sizeof value;
  });
  frame.kind = static_cast<TaskFrameKind>(kind);
  return frame;
}

bool is_sound(const TaskFrame& frame) noexcept {
  constexpr auto longest = std::uint64_t{1} << 62;
  return frame.kind >= TaskFrameKind::function && frame.kind <= TaskFrameKind::failed && frame.size < longest;
}

}  // namespace

void append_frame(std::vector<std::byte>& bytes, TaskFrame frame, std::span<const std::byte> body,
                  std::span<const std::byte> rest) {
  frame.size = body.size() + rest.size();
  const std::size_t before = bytes.size();
  bytes.resize(before + task_frame_size + body.size() + rest.size());
  std::byte* place = bytes.data() + before;
  const auto kind = static_cast<std::uint32_t>(frame.kind);
  visit_fields(frame, kind, [&place](auto value) noexcept {
    detail::to_little_endian(value, place);
    place += sizeof value;
  });
  place = std::copy(body.begin(), body.end(), place);
  std::copy(rest.begin(), rest.end(), place);
}

bool TaskFrameReader::begin_frame() noexcept {
  frame_ = header_at(buffer_, begin_);
  begin_ += task_frame_size;
  return is_sound(frame_);
}

// A nonsensical one, too: whoever asks is to find out.
bool TaskFrameReader::holds_frame() const noexcept {
  if (end_ - begin_ < task_frame_size) return false;
  const TaskFrame next = header_at(buffer_, begin_);
  return !is_sound(next) || next.size <= end_ - begin_ - task_frame_size;
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
