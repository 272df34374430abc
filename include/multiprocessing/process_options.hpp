// The plain types that describe a process: how to start it and how it ended.
#pragma once

#include <multiprocessing/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace multiprocessing {

/// Where a standard stream of a child comes from.
enum class Stdio : std::uint8_t {
  inherit,  ///< the parent's
  null,     ///< empty to read, swallows what is written
  pipe,     ///< the parent talks to it: Process::standard_input() and its siblings
};

/// What a child does when its parent dies without having joined it.
enum class OnParentDeath : std::uint8_t {
  end,           ///< ends at once, and its own children with it
  keep_running,  ///< goes on alone, as Python's non-daemonic processes do
};

enum class Priority : std::uint8_t { normal, below_normal, background };

/// How to start a process: Python's keyword arguments, and more.
struct ProcessOptions {
  /// Shown in logs and by tools. Empty: "Process-1", "Process-2", …; in a child "Process-1:1".
  std::string name = {};
  /// Ends with its parent, and may have no children. nullopt: as current_process().
  std::optional<bool> daemon = {};
  Stdio standard_input = Stdio::inherit;
  Stdio standard_output = Stdio::inherit;
  Stdio standard_error = Stdio::inherit;
  OnParentDeath on_parent_death = OnParentDeath::end;
  /// UTF-8; also from a std::filesystem::path. Empty: the parent's.
  PathString working_directory = {};
  /// All of it, UTF-8. nullopt: the parent's.
  std::optional<std::map<std::string, std::string>> environment = {};
  Priority priority = Priority::normal;
  /// Bytes of memory of its own that the child may have; what goes beyond fails there, with std::bad_alloc
  /// where C++ asks for it. The system counts what it has set aside for the child: on Linux its writable
  /// private memory, in a forked child with what it got from its parent; on Windows what it has committed. On
  /// POSIX each of its own children may have as much. Applies before the arguments are made. macOS does not
  /// enforce it; the child logs a warning then.
  std::optional<std::uint64_t> memory_limit = {};
  /// Windows: a console of its own. By default a child of a program without console shows none.
  bool new_console = false;
};

/// How far a process has come, and how it ended.
enum class ExitKind : std::uint8_t {
  not_started,
  running,
  exited,     ///< by itself, with a code
  signalled,  ///< by a signal, or by terminate() or kill()
  faulted,    ///< Windows: by an exception such as an access violation
  unknown,    ///< ended, but nobody knows with what: somebody else took the code (exitcode() is 255), or the
              ///< program never took its target
};

}  // namespace multiprocessing
