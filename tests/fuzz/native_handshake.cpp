// Our own handshake with a peer that says anything. The first byte says which side we are.
#include "handshakes.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace multiprocessing;
  fuzz::Input input(data, size);
  const unsigned way = input.number();
  const platform::Endpoint here{platform::Endpoint::Kind::inet, "127.0.0.1", 5000, {}};
  const auto role = (way & 1) != 0 ? runtime::Role::listener : runtime::Role::client;
  fuzz::shake_hands(runtime::make_native_handshake(role, fuzz::key, here, (way & 2) != 0), input.rest());
  return 0;
}
