// Messages of a connection, with and without handles, out of any bytes. The first byte says how they are
// taken.
#include "connection/message_stream.hpp"
#include "target.hpp"

#include <array>

namespace {

using namespace multiprocessing;

/// What came of a message into a buffer must be what a vector gets.
std::size_t take_one(runtime::MessageReader& reader, platform::Channel& channel, std::uint64_t size,
                     bool into) {
  const auto now = platform::Deadline::now();
  std::array<std::byte, 64> buffer{};
  if (into && size <= buffer.size() && !reader.brings_handles())
    return reader.take_into(channel, buffer, now, nullptr) ? static_cast<std::size_t>(size) : 0;
  const auto message = reader.take(channel, now, nullptr);
  if (!message) return 0;
  fuzz::demand(message->body.size() == size);
  return message->body.size();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  unsigned ways = input.number();
  auto channel = fuzz::stream_of(input.rest());
  runtime::MessageReader reader;
  std::size_t total = 0;
  for (int count = 0; count < 1000; ++count, ways = ways >> 1 | (ways & 1) << 7) {
    const auto length = reader.wait_for_header(channel, platform::Deadline::now(), nullptr);
    if (!length) break;
    const auto taken = take_one(reader, channel, *length, (ways & 1) != 0);
    if (taken == 0 && reader.in_message()) break;
    total += taken;
  }
  fuzz::demand(total <= size);
  return 0;
}
