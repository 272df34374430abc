// System exceptions in words.
#pragma once

#include <cstdint>
#include <string>

namespace multiprocessing::platform::win32 {

/// "access violation (0xC0000005)".
[[nodiscard]] std::string describe_exception(std::uint32_t code);

}  // namespace multiprocessing::platform::win32
