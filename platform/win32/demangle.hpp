// Names as they are written in source.
#pragma once

#include <string>

namespace multiprocessing::platform::win32 {

/// The name that a symbol of gcc's stands for; others as they are.
[[nodiscard]] std::string demangle(const char* name);

}  // namespace multiprocessing::platform::win32
