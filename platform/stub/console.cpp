// Standard streams as the standard library has them.
#include "contract/console.hpp"

#include <cstdio>

namespace multiprocessing::platform {

std::optional<int> terminal_width(StandardStream) noexcept { return std::nullopt; }
void write_to_standard_error(std::string_view text) noexcept {
  std::fwrite(text.data(), 1, text.size(), stderr);
}
Status secure_standard_streams() noexcept { return {}; }
void silence_crash_dialogs() noexcept {}

}  // namespace multiprocessing::platform
