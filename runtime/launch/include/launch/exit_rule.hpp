// What happens to children when the program ends, seen from the parts of the runtime that keep children of
// their own.
#pragma once

namespace multiprocessing::runtime {

/// Called once before the exit rule looks at any child: whoever would start others in place of those that end
/// stops to do so. One function in the whole program; must not throw.
void at_exit_rule(void (*prepare)()) noexcept;

/// Called once after the exit rule has joined the children: whoever tells others of their results comes to an
/// end. One function in the whole program; must not throw.
void after_exit_rule(void (*settle)()) noexcept;

/// Whether the program is ending: nothing should be started any more.
[[nodiscard]] bool exit_rule_has_begun() noexcept;

}  // namespace multiprocessing::runtime
