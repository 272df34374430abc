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
  wait_either,
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
  child_send,
  wait_set_wait,
  channel_finish_writing,
  identify,
  replace_environment,
  change_priority,
  limit_memory,
  locate,
  resolve,
  command_line,
  end_with_peer,
  listener_listen,
  listener_accept,
  connect,
};

struct FaultRow {
  static constexpr std::size_t capacity = 8;
  Call call;
  const char* name;
  std::array<Condition, capacity> conditions;  ///< what the call documents, but for mistakes of its caller
  std::size_t count;
  [[nodiscard]] constexpr std::span<const Condition> distinct() const noexcept {
    return std::span(conditions).first(count);
  }
};

namespace detail {
template <class... Conditions>
constexpr FaultRow row(Call call, const char* name, Conditions... conditions) {
  static_assert(sizeof...(conditions) >= 1 && sizeof...(conditions) <= FaultRow::capacity);
  return {call, name, {conditions...}, sizeof...(conditions)};
}
}  // namespace detail

inline constexpr std::array fault_table = {
    detail::row(Call::duplicate_handle, "duplicate_handle", Condition::out_of_handles),
    detail::row(Call::wait_one, "wait_one", Condition::out_of_memory),
    detail::row(Call::wait_either, "wait_either", Condition::out_of_memory),
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
    detail::row(Call::send_handles, "send_handles", Condition::broken, Condition::timed_out),
    detail::row(Call::receive_handles, "receive_handles", Condition::broken, Condition::corrupt,
                Condition::timed_out, Condition::out_of_handles),
    detail::row(Call::launch, "launch", Condition::out_of_processes, Condition::out_of_memory,
                Condition::out_of_handles, Condition::not_found, Condition::permission_denied,
                Condition::not_executable, Condition::too_long),
    detail::row(Call::fork_process, "fork_process", Condition::out_of_processes, Condition::out_of_memory,
                Condition::out_of_handles),
    detail::row(Call::open_sentinel, "open_sentinel", Condition::out_of_handles, Condition::not_supported,
                Condition::permission_denied, Condition::gone),
    detail::row(Call::bind_standard_streams, "bind_standard_streams", Condition::out_of_handles),
    detail::row(Call::change_working_directory, "change_working_directory", Condition::not_found,
                Condition::permission_denied, Condition::too_long),
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
    detail::row(Call::child_send, "child_send", Condition::gone, Condition::permission_denied,
                Condition::not_supported),
    detail::row(Call::wait_set_wait, "wait_set_wait", Condition::out_of_memory),
    detail::row(Call::channel_finish_writing, "channel_finish_writing", Condition::broken,
                Condition::not_supported),
    detail::row(Call::identify, "identify", Condition::gone, Condition::out_of_handles),
    detail::row(Call::replace_environment, "replace_environment", Condition::out_of_memory),
    detail::row(Call::change_priority, "change_priority", Condition::permission_denied),
    detail::row(Call::limit_memory, "limit_memory", Condition::not_supported, Condition::permission_denied,
                Condition::out_of_memory),
    detail::row(Call::locate, "locate", Condition::not_found),
    detail::row(Call::resolve, "resolve", Condition::not_found, Condition::corrupt),
    detail::row(Call::command_line, "command_line", Condition::not_supported),
    detail::row(Call::end_with_peer, "end_with_peer", Condition::not_supported, Condition::out_of_processes,
                Condition::out_of_memory),
    detail::row(Call::listener_listen, "listener_listen", Condition::already_exists, Condition::not_found,
                Condition::permission_denied, Condition::too_long, Condition::out_of_handles,
                Condition::out_of_memory),
    detail::row(Call::listener_accept, "listener_accept", Condition::out_of_handles,
                Condition::out_of_memory),
    detail::row(Call::connect, "connect", Condition::broken, Condition::not_found,
                Condition::permission_denied, Condition::timed_out, Condition::out_of_handles),
};

[[nodiscard]] constexpr const FaultRow& fault_row(Call call) noexcept {
  return fault_table[static_cast<std::size_t>(call)];
}

}  // namespace multiprocessing::platform
