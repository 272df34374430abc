// The one table of contract calls that can be made to fail, and of the conditions each documents. The
// fault plan of test builds and the sweep that fails the N-th call for every N are generated from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "contract/error.hpp"

namespace multiprocessing::platform {

enum class Call : std::uint8_t {
  duplicate_handle,
  wait_one,
  wait_any,
  wakeup_create,
  wait_set_create,
  wait_set_add,
  channel_pair,
  channel_adopt,
  channel_read,
  channel_write,
  stream_pipe,
  send_handles,
  receive_handles,
  launch,
  fork_process,
  open_sentinel,
  bind_standard_streams,
  change_working_directory,
  event_loop_create,
  event_loop_watch,
  event_loop_at,
  executable_path,
  random_bytes,
  run_in_background,
  arm_crash_report,
  load_image,
};

struct FaultRow {
  Call call;
  const char* name;
  std::array<Condition, 4> conditions;  ///< what the call documents; the first is repeated to fill up
  [[nodiscard]] constexpr std::span<const Condition> distinct() const noexcept {
    std::size_t count = 1;
    while (count < conditions.size() && conditions[count] != conditions[0]) ++count;
    return std::span(conditions).first(count);
  }
};

namespace detail {
constexpr FaultRow row(Call call, const char* name, Condition first) {
  return {call, name, {first, first, first, first}};
}
constexpr FaultRow row(Call call, const char* name, Condition first, Condition second) {
  return {call, name, {first, second, first, first}};
}
constexpr FaultRow row(Call call, const char* name, Condition first, Condition second, Condition third) {
  return {call, name, {first, second, third, first}};
}
constexpr FaultRow row(Call call, const char* name, Condition first, Condition second, Condition third,
                       Condition fourth) {
  return {call, name, {first, second, third, fourth}};
}
}  // namespace detail

inline constexpr std::array fault_table = {
    detail::row(Call::duplicate_handle, "duplicate_handle", Condition::out_of_handles),
    detail::row(Call::wait_one, "wait_one", Condition::out_of_memory),
    detail::row(Call::wait_any, "wait_any", Condition::out_of_memory, Condition::out_of_handles),
    detail::row(Call::wakeup_create, "wakeup_create", Condition::out_of_handles, Condition::out_of_memory),
    detail::row(Call::wait_set_create, "wait_set_create", Condition::out_of_handles,
                Condition::out_of_memory),
    detail::row(Call::wait_set_add, "wait_set_add", Condition::out_of_handles, Condition::out_of_memory),
    detail::row(Call::channel_pair, "channel_pair", Condition::out_of_handles, Condition::out_of_memory),
    detail::row(Call::channel_adopt, "channel_adopt", Condition::out_of_handles),
    detail::row(Call::channel_read, "channel_read", Condition::out_of_memory),
    detail::row(Call::channel_write, "channel_write", Condition::broken, Condition::out_of_memory),
    detail::row(Call::stream_pipe, "stream_pipe", Condition::out_of_handles, Condition::out_of_memory),
    detail::row(Call::send_handles, "send_handles", Condition::broken),
    detail::row(Call::receive_handles, "receive_handles", Condition::broken, Condition::out_of_handles),
    detail::row(Call::launch, "launch", Condition::out_of_processes, Condition::out_of_memory,
                Condition::out_of_handles, Condition::not_found),
    detail::row(Call::fork_process, "fork_process", Condition::out_of_processes, Condition::out_of_memory,
                Condition::out_of_handles),
    detail::row(Call::open_sentinel, "open_sentinel", Condition::out_of_handles, Condition::not_supported,
                Condition::permission_denied),
    detail::row(Call::bind_standard_streams, "bind_standard_streams", Condition::out_of_handles),
    detail::row(Call::change_working_directory, "change_working_directory", Condition::not_found,
                Condition::permission_denied),
    detail::row(Call::event_loop_create, "event_loop_create", Condition::out_of_handles,
                Condition::out_of_processes, Condition::out_of_memory),
    detail::row(Call::event_loop_watch, "event_loop_watch", Condition::out_of_handles,
                Condition::out_of_memory),
    detail::row(Call::event_loop_at, "event_loop_at", Condition::out_of_memory),
    detail::row(Call::executable_path, "executable_path", Condition::not_found),
    detail::row(Call::random_bytes, "random_bytes", Condition::other),
    detail::row(Call::run_in_background, "run_in_background", Condition::out_of_processes,
                Condition::out_of_memory),
    detail::row(Call::arm_crash_report, "arm_crash_report", Condition::out_of_memory),
    detail::row(Call::load_image, "load_image", Condition::not_found),
};

[[nodiscard]] constexpr const FaultRow& fault_row(Call call) noexcept {
  return fault_table[static_cast<std::size_t>(call)];
}

}  // namespace multiprocessing::platform
