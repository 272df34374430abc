// Frames on the control channel, written and read.
#include "wire/frame.hpp"

#include <algorithm>
#include <multiprocessing/detail/archive.hpp>
#include <utility>

namespace multiprocessing::runtime {
namespace {

constexpr std::uint32_t magic = 0x3143504d;  // "MPC1" in the bytes' order
constexpr std::size_t read_at_once = 64 * 1024;
// Below, a copy is cheaper than to hand over two pieces.
constexpr std::size_t joined_up_to = 8 * 1024;

bool is_known(std::uint32_t kind) noexcept {
  return kind >= static_cast<std::uint32_t>(FrameKind::bootstrap) &&
         kind <= static_cast<std::uint32_t>(FrameKind::handles);
}

}  // namespace

std::array<std::byte, frame_header_size> frame_header(FrameKind kind, std::uint64_t body_size) noexcept {
  std::array<std::byte, frame_header_size> header;
  detail::to_little_endian(magic, header.data());
  detail::to_little_endian(static_cast<std::uint32_t>(kind), header.data() + 4);
  detail::to_little_endian(body_size, header.data() + 8);
  return header;
}

platform::Status send_frame(platform::Channel& channel, FrameKind kind, std::span<const std::byte> body,
                            platform::Deadline deadline, const platform::Wakeup* wakeup) noexcept {
  const auto header = frame_header(kind, body.size());
  if (body.size() > joined_up_to) return channel.write_both(header, body, deadline, wakeup);
  std::array<std::byte, frame_header_size + joined_up_to> joined;
  const auto middle = std::copy(header.begin(), header.end(), joined.begin());
  const auto end = std::copy(body.begin(), body.end(), middle);
  return channel.write_all(std::span(joined.begin(), end), deadline, wakeup);
}

bool FrameReader::begin_body() noexcept {
  auto header = header_;
  const auto kind = detail::from_little_endian<std::uint32_t>(header.data() + 4);
  if (detail::from_little_endian<std::uint32_t>(header.data()) != magic || !is_known(kind)) return false;
  frame_.kind = static_cast<FrameKind>(kind);
  missing_ = detail::from_little_endian<std::uint64_t>(header.data() + 8);
  return true;
}

FrameReader::State FrameReader::advance(platform::Channel& channel, std::uint64_t at_most) {
  if (corrupt_) return State::corrupt;
  while (header_filled_ < header_.size() || missing_ > 0) {
    if (at_most == 0) return State::waiting;
    const bool in_header = header_filled_ < header_.size();
    std::span<std::byte> target = std::span(header_).subspan(header_filled_);
    const std::size_t before = frame_.body.size();
    if (!in_header) {
      frame_.body.resize(before + static_cast<std::size_t>(std::min<std::uint64_t>(missing_, read_at_once)));
      target = std::span(frame_.body).subspan(before);
    }
    const auto got = channel.read_some(target);
    const std::size_t count = got ? *got : 0;
    at_most -= std::min<std::uint64_t>(at_most, count);
    if (in_header)
      header_filled_ += count;
    else {
      frame_.body.resize(before + count);
      missing_ -= count;
    }
    if (!got && got.error().condition == platform::Condition::would_block) return State::waiting;
    if (count == 0) return State::ended;
    if (in_header && header_filled_ == header_.size() && !begin_body()) {
      corrupt_ = true;
      return State::corrupt;
    }
  }
  return State::complete;
}

Frame FrameReader::take() {
  header_filled_ = 0;
  return std::exchange(frame_, Frame{});
}

}  // namespace multiprocessing::runtime
