// The line that every main() begins with.
#pragma once

#include <multiprocessing/detail/export.hpp>

#include <cstdlib>

namespace multiprocessing {

namespace detail {
/// Runs this process as a child and never returns, if it is one. argc/argv may be null: the system is
/// asked then.
MULTIPROCESSING_EXPORT void enter_if_child(int argc, char** argv);
/// True the first time, when the caller is to register the exit rule.
MULTIPROCESSING_EXPORT bool note_freeze_support() noexcept;
/// Ends daemonic children, then joins the others.
MULTIPROCESSING_EXPORT void run_exit_rule() noexcept;

extern "C" inline void multiprocessing_at_exit() { run_exit_rule(); }
}  // namespace detail

/// A re-executed child runs its target here and never returns; in the program as the user started it, it
/// notes that it was called, and returns. Call it first in main(). Without it start() throws RuntimeError
/// under "spawn". Python: `multiprocessing.freeze_support`.
///
/// Inline, so that the exit rule (end daemonic children, join the others) is registered from the
/// program's own module and runs before the library's statics go.
inline void freeze_support() {
  detail::enter_if_child(0, nullptr);
  if (detail::note_freeze_support()) std::atexit(detail::multiprocessing_at_exit);
}

/// The same for a program that has its command line at hand; both are left as they are.
inline void freeze_support(int& argc, char**& argv) {
  detail::enter_if_child(argc, argv);
  if (detail::note_freeze_support()) std::atexit(detail::multiprocessing_at_exit);
}

}  // namespace multiprocessing
