// The start method "forkserver": children are forked by a process without threads, which this process starts
// when it first needs it.
#pragma once

#include <memory>

#include "launch/start_strategy.hpp"

namespace multiprocessing::runtime {

[[nodiscard]] std::unique_ptr<StartStrategy> make_forkserver_strategy();

}  // namespace multiprocessing::runtime
