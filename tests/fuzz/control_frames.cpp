// The control channel between parent and child: frames out of any bytes.
#include "target.hpp"
#include "wire/frame.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace multiprocessing::runtime;
  auto channel = fuzz::stream_of(fuzz::Input(data, size).rest());
  FrameReader reader;
  std::size_t total = 0;
  for (;;) {
    const auto state = reader.advance(channel);
    if (state != FrameReader::State::complete) break;
    total += reader.take().body.size();
  }
  fuzz::demand(total <= size);
  return 0;
}
