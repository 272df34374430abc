// Names of functions in the files of modules. Two readers: the table of symbols that gcc's linker leaves in a
// file, and the system's library for debug information, which knows Microsoft's and exported names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "contract/image.hpp"

namespace multiprocessing::platform::win32 {

/// The functions at `offsets` of the module in the file at `path`, one for each; nothing at all if the file
/// has no such table.
[[nodiscard]] std::vector<Symbol> read_coff_symbols(const std::string& path,
                                                    std::span<const std::uint64_t> offsets);

/// The same by dbghelp.dll, with source lines where the file's PDB is found. Functions that are merely
/// exported count only for what is near their start.
[[nodiscard]] std::vector<Symbol> look_up_symbols(const std::string& path,
                                                  std::span<const std::uint64_t> offsets);

}  // namespace multiprocessing::platform::win32
