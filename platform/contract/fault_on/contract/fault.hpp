// The fault seam of test builds. A plan says which call fails, when and how; it comes from a test of
// this process or, for children, from the environment:
//   MULTIPROCESSING_FAULT=call:N:condition[,…]   the N-th call (from 1) of that name fails
//   MULTIPROCESSING_FAULT=call:N:eintr           a signal interrupts the N-th call of that name (POSIX)
//   MULTIPROCESSING_FAULT=call:N:end             the process ends where it makes the N-th call of that name
//   MULTIPROCESSING_FAULT=call:cut:BYTES         each such read or write handles at most BYTES
//   MULTIPROCESSING_FAULT=channel_write:N:break=BYTES   the N-th write writes BYTES, then fails as broken
//   MULTIPROCESSING_FAULT_MARK=path              each failure that is injected adds one byte to this file
//   MULTIPROCESSING_FORCE=name[,…]               fallbacks to take
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "contract/fault_calls.hpp"

namespace multiprocessing::platform {

[[nodiscard]] std::optional<Error> fault_point(Call call) noexcept;
[[nodiscard]] std::size_t fault_cut(Call call, std::size_t size) noexcept;
[[nodiscard]] bool fault_break(std::span<const std::byte>& head, std::span<const std::byte>& body) noexcept;
[[nodiscard]] bool fault_interruption() noexcept;
[[nodiscard]] bool fault_is_due(Call call) noexcept;
[[nodiscard]] bool forced(const char* feature) noexcept;

/// The plan of this process. Thread-safe.
namespace fault_plan {

/// The n-th call from now (1 = the next) fails with this condition; once.
void fail(Call call, std::uint64_t n, Condition condition) noexcept;
/// The first system call of the n-th call from now that can be interrupted is, before it does anything; once.
void interrupt(Call call, std::uint64_t n) noexcept;
/// The process ends, without a word and with this exit code, where it makes the n-th call from now.
inline constexpr int ended_here = 86;
void end(Call call, std::uint64_t n) noexcept;
/// The n-th channel_write from now writes this many bytes, or all but its last if that is less, and fails as
/// broken; once.
void break_off(std::uint64_t n, std::size_t bytes) noexcept;
/// Reads or writes handle at most this many bytes until clear(); 0 takes the cut away.
void cut(Call call, std::size_t bytes) noexcept;
/// Forgets all of it, what came from the environment too, and sets every count to 0.
void clear() noexcept;
/// How often the call was made since the start or clear(); a failure that it got is injected and marked then.
[[nodiscard]] std::uint64_t count(Call call) noexcept;
/// How many failures were injected since the start or clear().
[[nodiscard]] std::uint64_t injected() noexcept;
/// Each injected failure adds one byte to this file until clear(): so a test sees those of other processes
/// too, forked ones with it. The path has at most 511 bytes.
void mark_in(const char* path) noexcept;
/// Adds what the text, in the form of MULTIPROCESSING_FAULT, says; false if it makes no sense.
bool parse(std::string_view text) noexcept;

}  // namespace fault_plan
}  // namespace multiprocessing::platform
