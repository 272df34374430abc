// The fork server itself, as a target that its owner starts by "spawn".
#pragma once

#include <multiprocessing/detail/task.hpp>

namespace multiprocessing::runtime {

/// Its argument is a std::vector<PreloadedFunction>. Returns when its owner is gone, or has let go of it and
/// the children have ended.
[[nodiscard]] detail::Target server_target() noexcept;

/// So that another executable finds it too. Once.
void register_server();

}  // namespace multiprocessing::runtime
