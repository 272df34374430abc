// The exceptions that the library throws, under Python's names.
//
// Every one derives from a standard exception, so that code that knows nothing of this library still
// prints something sensible, and from mp::Error, so that `catch (const mp::Error&)` gets them all. What would
// make templates of the standard library anew in everybody's build is defined in the library.
#pragma once

#include <multiprocessing/detail/export.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace multiprocessing {

/// Base of every exception of this library; carries nothing. Use `dynamic_cast<const std::exception*>`
/// or catch the concrete type to read the message.
class MULTIPROCESSING_EXPORT Error {
 public:
  Error() = default;
  Error(const Error&) = default;
  Error& operator=(const Error&) = default;
  virtual ~Error();
};

/// Root of the failures of processes and of what they send: Python's `multiprocessing.ProcessError`.
class MULTIPROCESSING_EXPORT ProcessError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~ProcessError() override;
};

/// A message did not fit the buffer; `message()` holds all of it. Python: `BufferTooShort`.
class MULTIPROCESSING_EXPORT BufferTooShort : public ProcessError {
 public:
  BufferTooShort(const std::string& what, std::vector<std::byte> message);
  ~BufferTooShort() override;
  [[nodiscard]] const std::vector<std::byte>& message() const noexcept { return *message_; }

 private:
  std::shared_ptr<const std::vector<std::byte>> message_;
};

/// The peer does not hold our key. Python: `AuthenticationError`.
class MULTIPROCESSING_EXPORT AuthenticationError : public ProcessError {
 public:
  using ProcessError::ProcessError;
  ~AuthenticationError() override;
};

/// The time is over. Python: `multiprocessing.TimeoutError`.
class MULTIPROCESSING_EXPORT TimeoutError : public ProcessError {
 public:
  using ProcessError::ProcessError;
  ~TimeoutError() override;
};

/// Thrown by `TimeLimit::check()`.
class MULTIPROCESSING_EXPORT TimeOutException : public TimeoutError {
 public:
  using TimeoutError::TimeoutError;
  ~TimeOutException() override;
};

/// A process of a spawn group failed.
class MULTIPROCESSING_EXPORT ProcessException : public ProcessError {
 public:
  ProcessException(const std::string& what, int index, int pid)
      : ProcessError(what), index_(index), pid_(pid) {}
  ~ProcessException() override;
  /// Which process of the group: the `i` that its function was called with.
  [[nodiscard]] int error_index() const noexcept { return index_; }
  [[nodiscard]] int error_pid() const noexcept { return pid_; }

 private:
  int index_;
  int pid_;
};

/// An exception escaped in a child. `what()` holds its type, its message and the stack trace of the
/// throw; the addresses are turned into names when `what()` is first asked for.
class MULTIPROCESSING_EXPORT ProcessRaisedException : public ProcessException {
 public:
  /// What is known of the exception; shared by the copies that throwing makes.
  class Details;
  ProcessRaisedException(std::shared_ptr<const Details> details, int index, int pid);
  ~ProcessRaisedException() override;
  /// Thread-safe.
  [[nodiscard]] const char* what() const noexcept override;
  /// The exception's type, demangled where the platform can: "std::out_of_range".
  [[nodiscard]] const std::string& type_name() const noexcept;
  /// What its own `what()` said; empty if it was not a std::exception.
  [[nodiscard]] const std::string& message() const noexcept;

 private:
  std::shared_ptr<const Details> details_;
};

/// A child ended with a status that is not 0, or by a signal. `what()` says which, and for a crash
/// where.
class MULTIPROCESSING_EXPORT ProcessExitedException : public ProcessException {
 public:
  ProcessExitedException(const std::string& what, int index, int pid, int exit_code,
                         std::optional<std::string> signal_name);
  ~ProcessExitedException() override;
  /// As `Process::exitcode()`.
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }
  /// "SIGSEGV"; nullopt if it was not a signal.
  [[nodiscard]] std::optional<std::string> signal_name() const;

 private:
  int exit_code_;
  std::shared_ptr<const std::optional<std::string>> signal_name_;
};

/// An exception of another process whose type is not the standard library's nor ours.
class MULTIPROCESSING_EXPORT RemoteError : public ProcessError {
 public:
  RemoteError(const std::string& what, std::string type_name, std::string message, std::string trace);
  ~RemoteError() override;
  [[nodiscard]] const std::string& type_name() const noexcept { return details_->type_name; }
  [[nodiscard]] const std::string& message() const noexcept { return details_->message; }
  /// The stack trace of the throw, a frame a line; may be empty.
  [[nodiscard]] const std::string& trace() const noexcept { return details_->trace; }

 private:
  struct Details {
    std::string type_name, message, trace;
  };
  std::shared_ptr<const Details> details_;
};

/// A value cannot be written, or bytes cannot be read back as the type that was asked for.
class MULTIPROCESSING_EXPORT SerializationError : public ProcessError {
 public:
  using ProcessError::ProcessError;
  ~SerializationError() override;
};

/// An argument has the right type and a value that makes no sense.
class MULTIPROCESSING_EXPORT ValueError : public std::invalid_argument, public Error {
 public:
  using std::invalid_argument::invalid_argument;
  ~ValueError() override;
};

/// No such position.
class MULTIPROCESSING_EXPORT IndexError : public std::out_of_range, public Error {
 public:
  using std::out_of_range::out_of_range;
  ~IndexError() override;
};

/// No such key.
class MULTIPROCESSING_EXPORT KeyError : public std::out_of_range, public Error {
 public:
  using std::out_of_range::out_of_range;
  ~KeyError() override;
};

/// A call at a time when it makes no sense: start() twice, join() before start().
class MULTIPROCESSING_EXPORT AssertionError : public std::logic_error, public Error {
 public:
  using std::logic_error::logic_error;
  ~AssertionError() override;
};

/// A value of the wrong type.
class MULTIPROCESSING_EXPORT TypeError : public std::logic_error, public Error {
 public:
  using std::logic_error::logic_error;
  ~TypeError() override;
};

/// No such member.
class MULTIPROCESSING_EXPORT AttributeError : public std::logic_error, public Error {
 public:
  using std::logic_error::logic_error;
  ~AttributeError() override;
};

/// The library cannot do this here and now; the message names the cure.
class MULTIPROCESSING_EXPORT RuntimeError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~RuntimeError() override;
};

/// The other end is closed and everything it sent has been read.
class MULTIPROCESSING_EXPORT EOFError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~EOFError() override;
};

/// A blocking call was given up because its StopToken was set, or a task because it was cancelled.
class MULTIPROCESSING_EXPORT CancelledError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~CancelledError() override;
};

/// A future is asked for something that its state does not allow.
class MULTIPROCESSING_EXPORT InvalidStateError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~InvalidStateError() override;
};

/// The operating system refused. `what()` names the call and the object; `code()` is the system's.
class MULTIPROCESSING_EXPORT OSError : public std::system_error, public Error {
 public:
  using std::system_error::system_error;
  ~OSError() override;
};

/// A queue or a channel has nothing to give within the time. Python: `queue.Empty`.
class MULTIPROCESSING_EXPORT Empty : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~Empty() override;
};

/// A queue takes nothing more within the time. Python: `queue.Full`.
class MULTIPROCESSING_EXPORT Full : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~Full() override;
};

/// The queue was shut down. Python: `queue.ShutDown`.
class MULTIPROCESSING_EXPORT ShutDown : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~ShutDown() override;
};

/// A process died in a barrier, or it was aborted or reset. Python: `threading.BrokenBarrierError`.
class MULTIPROCESSING_EXPORT BrokenBarrierError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~BrokenBarrierError() override;
};

/// The worker that ran a task died of it. `what()` says how.
class MULTIPROCESSING_EXPORT WorkerDied : public ProcessError {
 public:
  /// `reason` as `Process::exit_reason()`; `task` is the task's position in its call.
  WorkerDied(int pid, int exitcode, std::string reason, std::size_t task);
  ~WorkerDied() override;
  [[nodiscard]] int pid() const noexcept { return pid_; }
  [[nodiscard]] int exitcode() const noexcept { return exitcode_; }
  /// N if signal N ended it.
  [[nodiscard]] std::optional<int> signal() const noexcept;
  [[nodiscard]] const std::string& reason() const noexcept { return *reason_; }
  [[nodiscard]] std::size_t task() const noexcept { return task_; }

 private:
  int pid_;
  int exitcode_;
  std::shared_ptr<const std::string> reason_;
  std::size_t task_;
};

/// The executor's workers are gone and it takes no more work. Python:
/// `concurrent.futures.process.BrokenProcessPool`.
class MULTIPROCESSING_EXPORT BrokenProcessPool : public ProcessError {
 public:
  using ProcessError::ProcessError;
  ~BrokenProcessPool() override;
};

/// A connection could not be made or was lost.
class MULTIPROCESSING_EXPORT ConnectionError : public OSError {
 public:
  using OSError::OSError;
  ~ConnectionError() override;
};

}  // namespace multiprocessing
