// Handles that are said to travel, out of any bytes: none do. The first byte says how many are expected.
#include "contract/handle_transfer.hpp"
#include "target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace multiprocessing::platform;
  fuzz::Input input(data, size);
  const std::size_t count = input.number();
  auto channel = fuzz::stream_of(input.rest());
  fuzz::demand(!receive_handles(channel, count, Deadline::now()));
  return 0;
}
