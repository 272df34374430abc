// The loader answers no questions in a signal handler here.
#include "code_place.hpp"

namespace multiprocessing::platform::posix {

bool prepare_to_find_code() { return false; }
bool may_be_stub(std::uintptr_t) noexcept { return true; }
std::optional<CodePlace> find_code(std::uintptr_t) noexcept { return std::nullopt; }

}  // namespace multiprocessing::platform::posix
