// ProcessState: all that this process knows of one child, shared by every Process object that names it; and
// the registry of them. The parts of the runtime that run work in children (calls, groups) use it too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <multiprocessing/byte_stream.hpp>
#include <multiprocessing/process.hpp>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "contract/crash.hpp"
#include "contract/process.hpp"
#include "launch/registry_mutex.hpp"
#include "launch/start_strategy.hpp"
#include "wire/exception_report.hpp"
#include "wire/frame.hpp"

namespace multiprocessing::runtime {

/// What a child told before it ended; all empty for one that just returned, or was killed.
struct ChildReport {
  std::optional<std::vector<std::byte>> result;
  std::shared_ptr<const ExceptionReport> raised;
  std::shared_ptr<const platform::CrashRecord> crash;
};

}  // namespace multiprocessing::runtime

namespace multiprocessing::detail {

class InFlight;
class StreamState;

/// Thread-safe. One mutex guards the states of all processes, so that a fork finds them whole; it is never
/// held while anything blocks.
class ProcessState : public std::enable_shared_from_this<ProcessState> {
 public:
  ProcessState(StartWith with, ProcessOptions options, std::unique_ptr<Task> task);
  ~ProcessState();
  ProcessState(const ProcessState&) = delete;
  ProcessState& operator=(const ProcessState&) = delete;

  /// In a forked child: this is now the process itself.
  void become_self() noexcept;
  /// The state behind current_process().
  [[nodiscard]] static std::shared_ptr<ProcessState> of_this_process();

  /// The target; null if there is none, and once the child has it.
  [[nodiscard]] Task* task() noexcept { return task_.get(); }
  /// The same for run(). Throws ValueError when closed, AssertionError in another process.
  [[nodiscard]] Task* task_to_run();

  // The members of Process that need no target; see process.hpp.
  void start(runtime::Subject& subject, bool wants_result, const StopToken& stop,
             platform::Deadline deadline = platform::Deadline::never());
  bool join(platform::Deadline deadline, const StopToken& stop);
  [[nodiscard]] bool is_alive();
  void send(platform::StopSignal signal, const char* member);
  void stop(Duration grace, const StopToken& stop);
  void close();
  [[nodiscard]] std::string name();
  void set_name(std::string name);
  [[nodiscard]] bool daemon();
  void set_daemon(bool daemon);
  [[nodiscard]] std::optional<int> pid();
  [[nodiscard]] std::optional<int> exitcode();
  /// `member` is who asks, for the words of a refusal.
  [[nodiscard]] ExitKind exit_kind(const char* member = "exit_kind");
  [[nodiscard]] std::string exit_reason();
  [[nodiscard]] Sentinel sentinel();
  [[nodiscard]] std::vector<std::byte> authkey();
  void set_authkey(std::vector<std::byte> key);
  [[nodiscard]] ByteStream& stream(std::size_t index);

  // Those that follow wait for the word of the process that forked a child which has ended.

  /// How it ended; nullopt before. Unknown if it ended by itself and never took what it should run. Answers
  /// for a closed object, too.
  [[nodiscard]] std::optional<platform::ExitStatus> exit_status();
  /// Its pid once it was started, else 0. Answers for a closed object, too; does not wait.
  [[nodiscard]] int started_pid();
  /// As exit_reason() after the end. Answers for a closed object, too.
  [[nodiscard]] std::string end_in_words();
  /// What it told, once it has ended; empty before. Answers for a closed object, too.
  [[nodiscard]] runtime::ChildReport report();
  /// The same, without a copy of the result: it is not there any more for whoever asks next.
  [[nodiscard]] runtime::ChildReport take_report();
  /// What escaped from it; null if nothing did, and before the end. Throws as the member of Process.
  [[nodiscard]] std::shared_ptr<const runtime::ExceptionReport> raised();
  /// Ends the child if it runs; says nothing of one that does not.
  void kill_quietly() noexcept;
  /// At the end of the program: closes this process's ends of the child's standard streams.
  void close_streams() noexcept;
  /// Lets go of what start() with `wants_result` holds open for whoever reads the result. Once.
  void done_reading() noexcept;
  /// Whether this object stands for the process it is in.
  [[nodiscard]] bool is_self() const noexcept { return is_self_; }
  /// As join(), but reads what the child sends meanwhile: for results of any size.
  bool join_reading(platform::Deadline deadline, const StopToken& stop);
  /// Reads what has arrived and looks whether it has ended, without waiting; true if it has.
  bool advance();
  /// It has ended, but advance() says so only once the process that forked it has told how, or has had its
  /// time: what to wait for.
  [[nodiscard]] std::optional<platform::ExpectedWord> expected_word();
  /// Ready when advance() has something to do; for the reactor, by EndWatch. Not after the end.
  [[nodiscard]] platform::RawHandle control_handle();
  [[nodiscard]] platform::RawHandle sentinel_handle();

 private:
  friend class Registry;
  enum class Phase : std::uint8_t { created, starting, running, ended, closed };

  [[nodiscard]] std::string title() const;
  void check_usable(const char* member) const;
  void check_started(const char* member) const;
  void check_may_start(bool in_daemon) const;
  [[nodiscard]] runtime::ChildSettings settings() const;
  [[nodiscard]] std::array<platform::StreamBinding, 3> open_streams(InFlight& in_flight);
  void launched(platform::ChildProcess child, InFlight& in_flight, bool wants_result) noexcept;
  void log_start() const noexcept;
  bool refresh();
  [[nodiscard]] bool only_its_word_is_missing() const noexcept;
  bool settle(platform::Deadline deadline = platform::Deadline::never());
  void read_reports(std::uint64_t at_most);
  void note_report(runtime::Frame frame);
  void request_stop() noexcept;
  void release_handles() noexcept;
  /// In a forked child: the threads that used them are not there.
  void forget_handles() noexcept;
  void unpin() noexcept;
  [[nodiscard]] bool owned() const noexcept;

  /// While one lives, the handles of this child stay open: somebody waits for them without the mutex.
  class Pin {
   public:
    explicit Pin(ProcessState& state) noexcept;
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin();

   private:
    ProcessState& state_;
  };

  const StartWith with_;
  ProcessOptions options_;
  const int owner_;                           ///< pid of the process that may use this object
  const std::vector<std::uint32_t> lineage_;  ///< empty for this process itself
  const std::uint64_t identity_;              ///< tells sentinels apart
  bool is_self_;
  std::string name_;
  bool daemon_ = false;
  std::vector<std::byte> authkey_;
  std::unique_ptr<Task> task_;
  int pins_ = 0;  ///< how many rely on the handles without the mutex: they are closed after the last
  Phase phase_ = Phase::created;
  int pid_ = 0;
  platform::ChildProcess child_;
  platform::Channel control_;
  bool control_open_ = false;
  runtime::FrameReader reader_;
  runtime::ChildReport report_;
  std::optional<platform::ExitStatus> status_;
  bool took_record_ = false;      ///< the child has read what it should run
  bool ended_by_itself_ = false;  ///< it has ended with a code of its own
  std::array<std::optional<ByteStream>, 3> streams_;

  struct SelfTag {};
  explicit ProcessState(SelfTag);
};

/// Owns the handles of a start that is under way and of no state yet: a child that another thread forks
/// meanwhile closes its copies, or it would keep a pipe of this one open. They are opened, closed and handed
/// over with the registry's mutex held, so that no fork ever sees the number of one that was closed: by then
/// it could be another thread's file.
class InFlight {
 public:
  InFlight();
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight();

  /// Throws OSError.
  void open_channel();
  platform::StreamBinding open_stream(std::size_t index);
  [[nodiscard]] platform::Channel& parent_end() noexcept { return parent_end_; }
  [[nodiscard]] platform::RawHandle child_end() const noexcept { return child_end_.get(); }
  /// For whoever keeps it in place of a process object. With the registry's mutex held.
  [[nodiscard]] platform::Channel take_parent_end() noexcept { return std::move(parent_end_); }
  /// For a child that another process forks: the channel over which it is handed over. Throws OSError.
  void open_handover();
  [[nodiscard]] platform::Channel& handover() noexcept { return handover_; }
  [[nodiscard]] platform::RawHandle far_handover() const noexcept { return far_handover_.get(); }
  /// Once that process has it: from now on its death is the channel's end.
  void close_far_handover() noexcept;
  /// In the parent, once there is a child: now only that holds its ends, and its death is the channel's end.
  void close_child_ends() noexcept;
  /// In the parent: the child needs no record, and so will not say that it took one.
  void note_delivered() noexcept { delivered_ = true; }
  /// In the forked child itself: its end of the channel. The parent's are closed.
  [[nodiscard]] platform::Channel become_child() noexcept;
  /// There, once they are its standard streams.
  void close_child_streams() noexcept;

 private:
  friend class Registry;
  friend class ProcessState;
  void close_copies() const noexcept;

  platform::Channel parent_end_;
  platform::Channel child_end_;
  platform::Channel handover_;
  platform::Channel far_handover_;  ///< goes to the process that forks
  std::array<std::unique_ptr<StreamState>, 3> parent_streams_;
  std::array<platform::Handle, 3> child_streams_;
  bool delivered_ = false;
};

/// The processes that this one has started. Never destroyed.
class Registry {
 public:
  [[nodiscard]] static Registry& instance();

  /// Those that run; what has ended is joined.
  [[nodiscard]] std::vector<std::shared_ptr<ProcessState>> active();
  /// Ends daemons, then joins the others. Leaves what a forked child inherited alone.
  void run_exit_rule() noexcept;

  /// Around a fork. lock() after ForkGuard's constructor.
  void lock() noexcept;
  void unlock() noexcept;
  /// In the child, while locked: closes what belongs to the parent's children and to its other starts under
  /// way, and forgets them. `own` may be null.
  void forget_in_child(const InFlight* own) noexcept;
  /// From now on forget_in_child() calls this too: for what else belongs to the parent alone and is only
  /// changed with the mutex held.
  using LetGo = void (*)() noexcept;
  void at_fork_in_child(LetGo let_go);

 private:
  friend class ProcessState;
  friend class InFlight;
  Registry();
  // The mutex is held.
  /// Of one that is about to start: from then on add() takes no memory, and a child can always be noted.
  void reserve(ProcessState* state);
  void add(std::shared_ptr<ProcessState> state) noexcept;
  /// From those that run; one that does not loses its place.
  void remove(ProcessState* state) noexcept;
  void add(InFlight* start);
  void remove(InFlight* start) noexcept;
  void look_at_some() noexcept;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace multiprocessing::detail
