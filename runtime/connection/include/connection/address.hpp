// Public addresses as endpoints of the platform, and back.
#pragma once

#include <multiprocessing/listener.hpp>

#include "contract/listener.hpp"

namespace multiprocessing::runtime {

/// Throws ValueError (it does not suit the family). Not for empty addresses.
[[nodiscard]] platform::Endpoint endpoint_of(const Address& address, Family family);
/// The kind of an address that the system picks.
[[nodiscard]] platform::Endpoint::Kind kind_of(Family family) noexcept;
[[nodiscard]] Address address_of(const platform::Endpoint& endpoint);

}  // namespace multiprocessing::runtime
