// A wait that nobody sits in.
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/wait.hpp>

#include <functional>

namespace multiprocessing::detail {

/// Calls `resume` once when the handle is ready, in the library's thread for callbacks. The handle must stay
/// open until then. Throws OSError.
MULTIPROCESSING_EXPORT void when_ready(const Waitable& waitable, std::function<void()> resume);

}  // namespace multiprocessing::detail
