// No address lies in an image that is known here.
#include "contract/image.hpp"

#include <cstdint>

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

Result<CodeLocation> locate(const void*) {
  if (const auto fault = fault_point(Call::locate)) return *fault;
  return not_supported("locate");
}

Result<const void*> resolve(const CodeLocation&) {
  if (const auto fault = fault_point(Call::resolve)) return *fault;
  return not_supported("resolve");
}

Status load_image(const std::string&) {
  if (const auto fault = fault_point(Call::load_image)) return *fault;
  return not_supported("load_image");
}

bool readable_range(const void*, std::size_t) noexcept { return false; }
bool executable_address(const void*) noexcept { return false; }

std::vector<FrameLocation> locate_frames(std::span<const void* const> addresses) {
  std::vector<FrameLocation> frames;
  for (const void* address : addresses) frames.push_back({0, {}, reinterpret_cast<std::uintptr_t>(address)});
  return frames;
}

std::vector<Symbol> find_symbols(std::span<const FrameLocation> frames) {
  return std::vector<Symbol>(frames.size());
}

}  // namespace multiprocessing::platform
