// The exceptions' out-of-line parts – their destructors are the key functions that give each class one home –
// and the one table from the platform's conditions to them.
#include "support/errors.hpp"

#include <multiprocessing/errors.hpp>

#include <string>

namespace multiprocessing {

Error::~Error() = default;
ProcessError::~ProcessError() = default;
BufferTooShort::~BufferTooShort() = default;
AuthenticationError::~AuthenticationError() = default;
TimeoutError::~TimeoutError() = default;
TimeOutException::~TimeOutException() = default;
ProcessException::~ProcessException() = default;
ProcessExitedException::~ProcessExitedException() = default;
RemoteError::~RemoteError() = default;
SerializationError::~SerializationError() = default;
ValueError::~ValueError() = default;
IndexError::~IndexError() = default;
KeyError::~KeyError() = default;
AssertionError::~AssertionError() = default;
TypeError::~TypeError() = default;
AttributeError::~AttributeError() = default;
RuntimeError::~RuntimeError() = default;
EOFError::~EOFError() = default;
CancelledError::~CancelledError() = default;
InvalidStateError::~InvalidStateError() = default;
OSError::~OSError() = default;
Empty::~Empty() = default;
Full::~Full() = default;
ShutDown::~ShutDown() = default;
BrokenBarrierError::~BrokenBarrierError() = default;
WorkerDied::~WorkerDied() = default;
BrokenProcessPool::~BrokenProcessPool() = default;
ConnectionError::~ConnectionError() = default;

BufferTooShort::BufferTooShort(const std::string& what, std::vector<std::byte> message)
    : ProcessError(what), message_(std::make_shared<const std::vector<std::byte>>(std::move(message))) {}

ProcessExitedException::ProcessExitedException(const std::string& what, int index, int pid, int exit_code,
                                               std::optional<std::string> signal_name)
    : ProcessException(what, index, pid),
      exit_code_(exit_code),
      signal_name_(std::make_shared<const std::optional<std::string>>(std::move(signal_name))) {}

std::optional<std::string> ProcessExitedException::signal_name() const { return *signal_name_; }

RemoteError::RemoteError(const std::string& what, std::string type_name, std::string message,
                         std::string trace)
    : ProcessError(what),
      details_(std::make_shared<const Details>(
          Details{std::move(type_name), std::move(message), std::move(trace)})) {}

WorkerDied::WorkerDied(int pid, int exitcode, std::string reason, std::size_t task)
    : ProcessError("task " + std::to_string(task) + ": its worker, process " + std::to_string(pid) +
                   ", died: " + reason),
      pid_(pid),
      exitcode_(exitcode),
      reason_(std::make_shared<const std::string>(std::move(reason))),
      task_(task) {}

std::optional<int> WorkerDied::signal() const noexcept {
  return exitcode_ < 0 && exitcode_ > -128 ? std::optional(-exitcode_) : std::nullopt;
}

namespace runtime {
namespace {

std::string name_call(const platform::Error& error, std::string_view object) {
  std::string text = error.call;
  if (!object.empty()) text.append(" '").append(object).append("'");
  return text;
}

}  // namespace

void throw_os_error(const platform::Error& error, std::string_view object) {
  const std::string call = name_call(error, object);
  switch (error.condition) {
    case platform::Condition::cancelled:
      throw CancelledError(call + ": given up, a stop was requested");
    case platform::Condition::timed_out:
      throw TimeoutError(call + ": the time is over");
    case platform::Condition::broken:
      throw ConnectionError(error.code(), call);
    default:
      throw OSError(error.code(), call);
  }
}

}  // namespace runtime
}  // namespace multiprocessing
