// What the system can do, for tests of public behaviour that must not look at the contract themselves.
#pragma once

namespace multiprocessing::test_support {

/// The system can fork.
[[nodiscard]] bool forks();
/// It does so where nobody asks for anything else.
[[nodiscard]] bool forks_by_default();
/// Processes have signals: an exit code -N stands for signal N.
[[nodiscard]] bool has_signals();
/// A limit of memory is kept: emulators let it pass, and sanitizers need more than any.
[[nodiscard]] bool limits_memory();
/// A fork is safe while other threads work: the C library holds its allocator's lock across it. An address
/// sanitizer does not hold its own, nor does a user-mode emulator, so that a child may wait for ever for a
/// lock that nobody has.
[[nodiscard]] bool forks_beside_threads();
/// All takes many times as long: under an emulator or a sanitizer.
[[nodiscard]] bool is_slow();
/// The place of a throw is known, with its function's name.
[[nodiscard]] bool names_throws();
/// The place of a crash is known, with its function's name.
[[nodiscard]] bool names_crashes();
/// A program whose file was replaced or deleted can still start itself.
[[nodiscard]] bool survives_replacement();
/// A handle that was sent and never received is closed with its connection.
[[nodiscard]] bool drops_unreceived_handles();
/// After a write to a pipe was given up it is known whether any of it went out.
[[nodiscard]] bool knows_what_was_sent();

}  // namespace multiprocessing::test_support
