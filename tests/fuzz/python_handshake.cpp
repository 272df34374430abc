// Python's handshake with a peer that says anything. The first byte says which side we are.
#include "handshakes.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace multiprocessing;
  fuzz::Input input(data, size);
  const auto role = (input.number() & 1) != 0 ? runtime::Role::listener : runtime::Role::client;
  fuzz::shake_hands(runtime::make_python_handshake(role, fuzz::key), input.rest());
  return 0;
}
