// What a process and its fork server say to each other. The process sends, over the server's control channel
// and in one piece, two handles for each child: the far end of the channel over which the child is handed
// over (contract/handover.hpp), and the child's end of its control channel. Into the former it has written an
// Errand, and the handles of standard streams behind it. So nothing that a server reads can be cut short, and
// arguments, keys and environments never pass through it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "contract/channel.hpp"
#include "contract/process.hpp"

namespace multiprocessing::runtime {

inline constexpr std::size_t handles_of_an_errand = 2;

struct Errand {
  static constexpr std::uint32_t expected_magic = 0x5346504d;
  std::uint32_t magic = expected_magic;
  std::array<platform::StreamBinding::Source, 3> streams = {};
};
static_assert(std::is_trivially_copyable_v<Errand>);

/// The standard streams of a child, as an errand says.
struct OrderedStreams {
  std::array<platform::StreamBinding, 3> bindings;
  std::vector<platform::Handle> handles;  ///< those that the bindings name
};

/// In the server. All of it has to be there: never waits. Errors: those of Channel::read_all and
/// receive_handles; corrupt.
[[nodiscard]] platform::Result<OrderedStreams> read_errand(platform::Channel& handover);

}  // namespace multiprocessing::runtime
