// A wait that nobody sits in.
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/wait.hpp>

#include <functional>

namespace multiprocessing::detail {

/// Calls `resume` once when the handle is ready, in the library's thread for callbacks. The handle must stay
/// open until then, or until the wait was given up by what this returns: then `resume` is not begun any more.
/// Not to be given up from within `resume`. Throws OSError.
MULTIPROCESSING_EXPORT std::function<void()> when_ready(const Waitable& waitable,
                                                        std::function<void()> resume);

}  // namespace multiprocessing::detail
