// Keeps the fault plan: one slot per call of the table, all of them atomics, because a fault point may be
// reached from any thread, and in a forked child.
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>

#include "contract/fault.hpp"

namespace multiprocessing::platform {
namespace {

struct Slot {
  std::atomic<std::uint64_t> seen{0};
  std::atomic<std::uint64_t> passed{0};    // as seen, counted once the call's fault is injected and marked
  std::atomic<std::uint64_t> fails_at{0};  // value of `seen` that fails; 0 = none
  std::atomic<Condition> condition{Condition::other};
  std::atomic<std::uint64_t> interrupted_at{0};  // as fails_at
  std::atomic<std::uint64_t> ends_at{0};         // as fails_at
  std::atomic<std::uint64_t> breaks_at{0};       // as fails_at
  std::atomic<std::size_t> break_bytes{0};
  std::atomic<std::size_t> cut{0};
};

struct Plan {
  std::array<Slot, fault_table.size()> slots;
  std::atomic<std::uint64_t> injected{0};
  std::array<char, 512> mark{};  ///< path of the file that counts injected failures; empty = none

  Slot& of(Call call) noexcept { return slots[static_cast<std::size_t>(call)]; }
};

// Whether this thread's next system call shall look interrupted.
thread_local bool interruption_is_due = false;
// After how many bytes this thread's write breaks off.
thread_local std::optional<std::size_t> break_is_due;

bool parse_into(Plan& plan, std::string_view text) noexcept;

void set_mark(Plan& plan, const char* path) noexcept {
  std::snprintf(plan.mark.data(), plan.mark.size(), "%s", path);
}

void leave_mark(const Plan& plan) noexcept {
  if (plan.mark.front() == '\0') return;
  if (std::FILE* file = std::fopen(plan.mark.data(), "ab")) {
    std::fputc('x', file);
    std::fclose(file);
  }
}

Plan& plan() noexcept {
  static Plan& instance = *[] {
    auto* made = new Plan;  // never destroyed: fault points are reached during static destruction
    if (const char* text = std::getenv("MULTIPROCESSING_FAULT")) parse_into(*made, text);
    if (const char* path = std::getenv("MULTIPROCESSING_FAULT_MARK")) set_mark(*made, path);
    return made;
  }();
  return instance;
}

std::string_view next_field(std::string_view& text, char separator) noexcept {
  const auto end = text.find(separator);
  const auto field = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return field;
}

template <class Number>
bool to_number(std::string_view text, Number& number) noexcept {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && rest == text.data() + text.size();
}

const FaultRow* row_named(std::string_view name) noexcept {
  for (const auto& row : fault_table)
    if (name == row.name) return &row;
  return nullptr;
}

std::optional<Condition> condition_named(std::string_view name) noexcept {
  for (int value = 0; value <= static_cast<int>(Condition::other); ++value)
    if (name == name_of(static_cast<Condition>(value))) return static_cast<Condition>(value);
  return std::nullopt;
}

void arm(Slot& slot, std::uint64_t n, Condition condition) noexcept {
  slot.condition = condition;
  slot.fails_at = slot.seen + n;
}

void arm_break(Slot& slot, std::uint64_t n, std::size_t bytes) noexcept {
  slot.break_bytes = bytes;
  slot.breaks_at = slot.seen + n;
}

bool parse_break(Slot& slot, std::uint64_t n, std::string_view bytes) noexcept {
  std::size_t number = 0;
  if (!to_number(bytes, number)) return false;
  arm_break(slot, n, number);
  return true;
}

bool parse_entry(Plan& plan, std::string_view entry) noexcept {
  const FaultRow* row = row_named(next_field(entry, ':'));
  const auto when = next_field(entry, ':');
  if (row == nullptr) return false;
  Slot& slot = plan.of(row->call);
  if (when == "cut") {
    std::size_t bytes = 0;
    if (!to_number(entry, bytes)) return false;
    slot.cut = bytes;
    return true;
  }
  std::uint64_t n = 0;
  if (!to_number(when, n) || n == 0) return false;
  if (entry == "eintr") {
    slot.interrupted_at = slot.seen + n;
    return true;
  }
  if (entry == "end") {
    slot.ends_at = slot.seen + n;
    return true;
  }
  constexpr std::string_view breaks = "break=";
  if (entry.starts_with(breaks))
    return row->call == Call::channel_write && parse_break(slot, n, entry.substr(breaks.size()));
  const auto condition = condition_named(entry);
  if (!condition) return false;
  arm(slot, n, *condition);
  return true;
}

bool parse_into(Plan& plan, std::string_view text) noexcept {
  while (!text.empty())
    if (!parse_entry(plan, next_field(text, ','))) return false;
  return true;
}

}  // namespace

std::optional<Error> fault_point(Call call) noexcept {
  Plan& current = plan();
  Slot& slot = current.of(call);
  const auto number = slot.seen.fetch_add(1) + 1;
  if (number == slot.ends_at.load()) std::_Exit(fault_plan::ended_here);
  interruption_is_due = number == slot.interrupted_at.load();
  const bool fails = number == slot.fails_at.load();
  const bool breaks = !fails && number == slot.breaks_at.load();
  break_is_due = breaks ? std::optional(slot.break_bytes.load()) : std::nullopt;
  if (fails || breaks) {
    ++current.injected;
    leave_mark(current);
  }
  ++slot.passed;
  if (!fails) return std::nullopt;
  return Error{slot.condition, 0, fault_row(call).name};
}

bool fault_break(std::span<const std::byte>& head, std::span<const std::byte>& body) noexcept {
  if (!break_is_due) return false;
  const auto all = head.size() + body.size();
  const auto written = std::min(*break_is_due, all == 0 ? 0 : all - 1);
  break_is_due.reset();
  head = head.first(std::min(written, head.size()));
  body = body.first(written - head.size());
  return true;
}

std::size_t fault_cut(Call call, std::size_t size) noexcept {
  const auto cut = plan().of(call).cut.load();
  return cut != 0 && cut < size ? cut : size;
}

bool fault_interruption() noexcept {
  if (!interruption_is_due) return false;
  interruption_is_due = false;
  ++plan().injected;
  return true;
}

bool fault_is_due(Call call) noexcept {
  const Slot& slot = plan().of(call);
  const auto seen = slot.seen.load();
  return slot.fails_at > seen || slot.interrupted_at > seen || slot.ends_at > seen || slot.breaks_at > seen;
}

bool forced(const char* feature) noexcept {
  const char* text = std::getenv("MULTIPROCESSING_FORCE");
  std::string_view features = text != nullptr ? text : "";
  while (!features.empty())
    if (next_field(features, ',') == feature) return true;
  return false;
}

namespace fault_plan {

void fail(Call call, std::uint64_t n, Condition condition) noexcept { arm(plan().of(call), n, condition); }
void interrupt(Call call, std::uint64_t n) noexcept {
  Slot& slot = plan().of(call);
  slot.interrupted_at = slot.seen + n;
}
void end(Call call, std::uint64_t n) noexcept {
  Slot& slot = plan().of(call);
  slot.ends_at = slot.seen + n;
}
void break_off(std::uint64_t n, std::size_t bytes) noexcept {
  arm_break(plan().of(Call::channel_write), n, bytes);
}
void cut(Call call, std::size_t bytes) noexcept { plan().of(call).cut = bytes; }

void clear() noexcept {
  for (Slot& slot : plan().slots) {
    slot.fails_at = 0;
    slot.interrupted_at = 0;
    slot.ends_at = 0;
    slot.breaks_at = 0;
    slot.seen = 0;
    slot.passed = 0;
    slot.cut = 0;
  }
  plan().injected = 0;
  plan().mark.front() = '\0';
}

std::uint64_t count(Call call) noexcept { return plan().of(call).passed; }
std::uint64_t injected() noexcept { return plan().injected; }
void mark_in(const char* path) noexcept { set_mark(plan(), path); }
bool parse(std::string_view text) noexcept { return parse_into(plan(), text); }

}  // namespace fault_plan
}  // namespace multiprocessing::platform
