// The one mutex of all process states. Never held while anything blocks, logs or calls users' code.
#pragma once

#include <mutex>

namespace multiprocessing::runtime {

[[nodiscard]] std::mutex& registry_mutex() noexcept;

}  // namespace multiprocessing::runtime
