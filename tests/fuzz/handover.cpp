// What a fork server tells of a child that it forked, out of any bytes. The first byte says how many of them
// come before a handle that stands for the child's sentinel; 0: none comes.
#include "contract/handover.hpp"
#include "contract/handle_transfer.hpp"
#include "target.hpp"

#include <array>
#include <optional>

namespace {

using namespace multiprocessing::platform;

/// The end of a channel whose bytes are these, with a handle between them.
std::optional<Channel> stream_with_handle(std::span<const std::byte> before, RawHandle handle,
                                          std::span<const std::byte> behind) {
  auto ends = channel_pair();
  fuzz::demand(ends.has_value());
  fuzz::demand(ends->first.write_all(before, Deadline::never()).has_value());
  const std::array<RawHandle, 1> handles = {handle};
  if (!send_handles(ends->first, handles, Deadline::now())) return std::nullopt;
  fuzz::demand(ends->first.write_all(behind, Deadline::never()).has_value());
  return std::move(ends->second);
}

void listen_to(Channel channel) {
  auto child = take_over_child(std::move(channel), Deadline::now());
  if (!child) return;
  fuzz::demand(child->pid() > 0);
  // Nobody says more than what came: whoever asks for the status gets one, or it runs.
  for (int i = 0; i < 3; ++i)
    if (const auto status = child->poll()) fuzz::demand(status->kind <= ExitStatus::Kind::unknown);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t count = input.number();
  if (count == 0) {
    listen_to(fuzz::stream_of(input.rest()));
    return 0;
  }
  auto sentinel = Wakeup::create();
  fuzz::demand(sentinel.has_value());
  sentinel->notify();  // it has ended: what runs would be watched for ever
  const auto before = input.take(count);
  const auto behind = input.take(1024);
  if (auto channel = stream_with_handle(before, sentinel->waitable(), behind)) listen_to(*std::move(channel));
  return 0;
}
