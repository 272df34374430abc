// The one answer of the stub backend.
#pragma once

#include "contract/error.hpp"

namespace multiprocessing::platform {

[[nodiscard]] inline Error not_supported(const char* call) noexcept {
  return {Condition::not_supported, 0, call};
}

}  // namespace multiprocessing::platform
