// The functions that a fork server runs before it serves.
#pragma once

#include <cstdint>
#include <vector>

#include "launch/identity.hpp"

namespace multiprocessing::runtime {

/// One of them on its way to the server. An aggregate: it travels field by field.
struct PreloadedFunction {
  TargetRecord target;
  std::vector<std::byte> data;  ///< of a function object
};

struct Preload {
  std::vector<PreloadedFunction> functions;
  std::uint64_t generation = 0;  ///< how often they were chosen
};

/// What set_forkserver_preload() chose last.
[[nodiscard]] Preload chosen_preload();

}  // namespace multiprocessing::runtime
