// The loader answers no questions in a signal handler here.
#include "code_place.hpp"

namespace multiprocessing::platform::posix {

bool prepare_to_find_code() { return false; }
std::optional<CodePlace> find_code(std::uintptr_t) noexcept { return std::nullopt; }

}  // namespace multiprocessing::platform::posix
