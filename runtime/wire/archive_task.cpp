// Task's key functions.
#include <multiprocessing/detail/task.hpp>

namespace multiprocessing::detail {

Task::~Task() = default;

bool Task::portable() const noexcept { return true; }

}  // namespace multiprocessing::detail
