// Turns the frames of a child's stack into text, in the process that reads it.
#include "launch/symbolize.hpp"

#include <cstdio>
#include <string_view>
#include <vector>

namespace multiprocessing::runtime {
namespace {

using platform::FrameLocation;
using platform::Symbol;

// Where a supervised call begins: what lies further out is ours, and the same in every trace.
constexpr std::string_view outermost_function = "multiprocessing::platform::call_traced(";

std::string hexadecimal(std::uint64_t number) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(number));
  return text;
}

// Images are known by paths of every system.
std::string file_name(const std::string& path) { return path.substr(path.find_last_of("/\\") + 1); }

std::string describe(const FrameLocation& frame, const Symbol& symbol) {
  if (frame.image == 0) return hexadecimal(frame.offset);
  const std::string image = frame.path.empty() ? "unknown image" : file_name(frame.path);
  if (symbol.function.empty()) return image + " + " + hexadecimal(frame.offset);
  std::string text = symbol.function + " + " + hexadecimal(symbol.displacement);
  if (!symbol.file.empty()) text += " at " + symbol.file + ":" + std::to_string(symbol.line);
  return text + " (" + image + ")";
}

}  // namespace

std::string format_stack(std::span<const FrameLocation> frames, std::span<const Symbol> symbols) {
  std::string text;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (symbols[i].function.starts_with(outermost_function)) break;
    text += "  #" + std::to_string(i) + " " + describe(frames[i], symbols[i]) + "\n";
  }
  return text;
}

std::string symbolize(std::span<const FrameLocation> frames) {
  const std::vector<Symbol> symbols = platform::find_symbols(frames);
  return format_stack(frames, symbols);
}

}  // namespace multiprocessing::runtime
