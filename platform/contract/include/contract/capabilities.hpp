// What a backend can do on the system it runs on: asked at run time, so that no caller needs a
// conditional. A test skips on one of these, never on an operating system.
#pragma once

namespace multiprocessing::platform {

struct Capabilities {
  const char* system;      ///< "linux", "macos", "freebsd", "windows", "stub"; for messages only
  bool fork;               ///< fork_process() works
  bool fork_is_default;    ///< the system's custom is to fork
  bool signals;            ///< processes have signals: exit codes -N for any N, a child may catch terminate
  bool exact_sentinels;    ///< sentinels are kernel objects of the process itself (pidfd, kqueue, process
                           ///< handle), not an event that a thread of ours announces
  bool foreign_sentinels;  ///< open_sentinel() works for processes that are not children
  bool kept_wait_sets;     ///< WaitSet is faster than wait_any() for many handles
  bool half_close;         ///< Channel::finish_writing() works
  bool tells_unread;       ///< Channel::left_unread() may be true
  bool tells_abandoned;    ///< a unix socket that nobody listens on is told from one whose queue is full
  bool handle_transfer;    ///< send_handles() works between any two processes of one user
  bool transfer_keeps_handles;    ///< handles that are on their way stay open although the sender closes his
  bool drops_unreceived_handles;  ///< handles that nobody receives are closed with their channel, not with
                                  ///< the process that sent them
  bool child_handover;            ///< a process can fork children for another one (handover.hpp)
  bool ends_children;             ///< LaunchRequest::ends_with_parent is enforced by the system
  bool memory_limits;             ///< limit_memory() is enforced
  bool throw_traces;              ///< the stack of a throw is known (throw_trace.hpp)
  bool crash_stacks;              ///< crash reports carry frames
  bool symbol_names;              ///< addresses can be turned into function names
  bool replaced_executable;       ///< ExecutablePath::launch starts the running build even after the file was
                                  ///< replaced
};

[[nodiscard]] const Capabilities& capabilities() noexcept;

}  // namespace multiprocessing::platform
