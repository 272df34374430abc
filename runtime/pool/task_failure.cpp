// TaskFailure: the exception behind it is put together when somebody wants it, because finding the names of a
// stack trace is no work for the thread that hands out tasks.
#include <exception>
#include <multiprocessing/detail/pool_core.hpp>
#include <mutex>
#include <utility>

#include "launch/symbolize.hpp"
#include "wire/exception_report.hpp"

namespace multiprocessing::detail {

struct TaskFailure::State {
  std::vector<std::byte> report;
  std::optional<WorkerDied> died;
  std::function<std::exception_ptr()> make;
  std::once_flag made;
  std::exception_ptr exception;
};

TaskFailure::TaskFailure(std::exception_ptr exception) : state_(std::make_unique<State>()) {
  state_->exception = std::move(exception);
}

TaskFailure::TaskFailure(WorkerDied died) : state_(std::make_unique<State>()) {
  state_->exception = std::make_exception_ptr(died);
  state_->died.emplace(std::move(died));
}

TaskFailure::TaskFailure(std::vector<std::byte> report) : state_(std::make_unique<State>()) {
  state_->report = std::move(report);
}

TaskFailure::TaskFailure(std::function<std::exception_ptr()> make) : state_(std::make_unique<State>()) {
  state_->make = std::move(make);
}

TaskFailure::~TaskFailure() = default;

const WorkerDied* TaskFailure::died() const noexcept { return state_->died ? &*state_->died : nullptr; }

std::exception_ptr TaskFailure::exception() const {
  std::call_once(state_->made, [this] {
    if (state_->exception) return;
    if (state_->make) {
      state_->exception = state_->make();
      return;
    }
    try {
      Decoder decoder(state_->report);
      const auto report = decode<runtime::ExceptionReport>(decoder);
      state_->exception = runtime::rebuild_exception(report, runtime::symbolize(report.frames));
    } catch (...) {
      state_->exception = std::current_exception();  // a worker that wrote nonsense
    }
  });
  return state_->exception;
}

}  // namespace multiprocessing::detail
