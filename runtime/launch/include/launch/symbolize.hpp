// Stack traces as text: what `what()` of a remote failure and the report of a crash show.
#pragma once

#include <span>
#include <string>

#include "contract/image.hpp"

namespace multiprocessing::runtime {

/// A line for each frame, innermost first, each ended by a newline:
///   "  #0 parse(std::string const&) + 0x1f at parser.cpp:12 (scan)". What is not known is left out; a
/// frame without a name shows its image and offset, one in no image its address. Frames of the library
/// around the supervised call, and all that called it, are left out. Empty for no frames.
/// Reads symbol tables of files: call it when somebody asks, not when something failed. Thread-safe.
[[nodiscard]] std::string symbolize(std::span<const platform::FrameLocation> frames);

/// The same from names that are known already, `symbols[i]` for `frames[i]`.
[[nodiscard]] std::string format_stack(std::span<const platform::FrameLocation> frames,
                                       std::span<const platform::Symbol> symbols);

}  // namespace multiprocessing::runtime
