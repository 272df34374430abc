// How a test program runs itself, or a copy of itself, as a user would from a shell.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace own_program {

/// Programs of a foreign processor cannot be run from a shell.
inline bool emulated() {
  const char* launcher = std::getenv("MULTIPROCESSING_TEST_LAUNCHER");
  return launcher != nullptr && *launcher != '\0';
}

/// What std::system() says of the program with these arguments, as an exit status where it can be told from
/// it. `in_path`: its folder comes first in PATH.
inline int run(const std::filesystem::path& program, const std::string& arguments, bool in_path = false) {
  // cmd.exe strips the outer pair of quotes, and a shell does not mind a group.
  const std::string quoted = '"' + program.string() + '"';
  const bool backslashes = program.string().find('\\') != std::string::npos;
  const std::string folder = program.parent_path().string();
  const std::string place =
      backslashes ? "set PATH=" + folder + ";%PATH%&& " : "PATH=\"" + folder + ":$PATH\" ";
  const std::string command = (in_path ? place : "") + quoted + ' ' + arguments;
  const int status = std::system((backslashes ? '"' + command + '"' : command).c_str());
  return !backslashes && status > 255 ? status / 256 : status;
}

/// ctest counts the test as skipped.
inline constexpr int skipped = 77;

}  // namespace own_program
