// The worker's side of a pool: takes tasks from its channel, calls, and reports each result before the next
// task begins, so that a task is never run twice because its result was lost.
#include "worker.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <multiprocessing/detail/chunk.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/process.hpp>
#include <utility>
#include <vector>

#include "contract/throw_trace.hpp"
#include "launch/child_main.hpp"
#include "launch/identity.hpp"
#include "pool/function_record.hpp"
#include "pool/task_frame.hpp"
#include "support/errors.hpp"
#include "wire/exception_report.hpp"

namespace multiprocessing::detail {

namespace {
ChunkRun* current_chunk = nullptr;  // a worker has one thread for tasks

struct Step {
  void (*run)(void*);
  void* context;
};

void run_step(void* argument) {
  const auto& step = *static_cast<const Step*>(argument);
  runtime::WhileBodyRuns runs;
  step.run(step.context);
  runs.returned();
}
}  // namespace

ChunkRun& ChunkRun::current() noexcept { return *current_chunk; }

ChunkRun::ChunkRun(std::uint32_t count, std::uint32_t skipped, bool one_by_one) noexcept
    : count_(count), skipped_(skipped), one_by_one_(one_by_one), done_(skipped) {
  current_chunk = this;
}

ChunkRun::~ChunkRun() { current_chunk = nullptr; }

void ChunkRun::run(void (*step)(void*), void* context) {
  Step guarded{step, context};
  while (!finished()) {
    platform::ThrowTrace trace;
    try {
      platform::call_traced(&run_step, &guarded, trace);
    } catch (...) {
      results_.shrink_to(good_size_);
      const bool lost = reading_;  // where the next item begins
      do {
        report_failure(&trace);
      } while (lost && !finished());
    }
  }
}

}  // namespace multiprocessing::detail

namespace multiprocessing::runtime {
namespace {

using Clock = std::chrono::steady_clock;

/// What a worker writes. When that fails the pool is gone, or a word to it is lost for which it would wait
/// for ever: the worker ends, in the middle of a chunk, too. What it has not begun the pool gives to others,
/// and nothing may be done twice.
class Reports {
 public:
  explicit Reports(platform::Channel& channel) noexcept : channel_(channel) {}

  void add(const TaskFrame& frame, std::span<const std::byte> body = {}) {
    append_frame(pending_, frame, body);
  }
  [[nodiscard]] std::size_t size() const noexcept { return pending_.size(); }
  void send() {
    if (pending_.empty()) return;
    if (!channel_.write_all(pending_, platform::Deadline::never())) multiprocessing::exit(1);
    if (pending_.capacity() > kept)
      pending_ = {};
    else
      pending_.clear();
  }

 private:
  static constexpr std::size_t kept = 1024 * 1024;
  platform::Channel& channel_;
  std::vector<std::byte> pending_;
};

std::vector<std::byte> current_exception_report(const platform::ThrowTrace& trace) {
  detail::Encoder encoder;
  try {
    detail::encode(encoder, describe_current_exception(trace));
  } catch (...) {
    // Out of memory, most likely: a report that needs little.
    encoder.clear();
    ExceptionReport report;
    report.type_name = "std::bad_alloc";
    report.known_type = known_type_of(typeid(std::bad_alloc));
    detail::encode(encoder, report);
  }
  return {encoder.bytes().begin(), encoder.bytes().end()};
}

/// One task of the pool: its items, and when their results are sent.
class WorkerChunk final : public detail::ChunkRun {
 public:
  WorkerChunk(const TaskFrame& frame, Reports& reports)
      : ChunkRun(frame.count, frame.first, frame.one_by_one != 0),
        task_(frame.task),
        reports_(reports),
        begun_(Clock::now()),
        reported_(frame.first) {}

  /// The rest of the results. Every item has one then.
  void finish() {
    report(Clock::now());
    reports_.send();
  }
  /// What failed was no item, but what all of them need.
  void fail_rest() {
    const platform::ThrowTrace unknown;
    while (!finished()) report_failure(&unknown);
  }

 private:
  void look() override {
    until_look_ = 1;
    if (finished()) return;  // finish() sends it
    const auto now = Clock::now();
    if (is_due(now)) {
      report(now);
      send(now);
    } else if (now - last_look_ < cheap) {
      pace_ = std::min<std::uint32_t>(2 * pace_, 256);
      until_look_ = pace_;
    } else {
      pace_ = 1;
    }
    last_look_ = now;
  }

  void report_failure(const void* trace) override {
    const auto now = Clock::now();
    report(now);
    TaskFrame frame = header(TaskFrameKind::failed);
    frame.first = done_;
    frame.microseconds = since_last_report(now);
    reports_.add(frame, current_exception_report(*static_cast<const platform::ThrowTrace*>(trace)));
    done_with_item();
    reported_ = done_;
    last_report_ = last_look_ = now;
    until_look_ = pace_ = 1;
    if (!finished() && is_due(now)) send(now);
  }

  /// Whether what is done is sent before the next item begins: if this one kills its worker, it is done again
  /// otherwise. A report of a failure counts no more than a result, since items may fail by the million.
  [[nodiscard]] bool is_due(Clock::time_point now) const noexcept {
    return one_by_one_ || reports_.size() + good_size_ >= report_size || now - last_send_ >= report_every;
  }

  void send(Clock::time_point now) {
    reports_.send();
    last_send_ = now;
  }

  void report(Clock::time_point now) {
    if (reported_ == done_) return;
    TaskFrame frame = header(TaskFrameKind::results);
    frame.first = reported_;
    frame.count = done_ - reported_;
    frame.microseconds = since_last_report(now);
    reports_.add(frame, results_.bytes().first(good_size_));
    results_.clear();
    good_size_ = 0;
    reported_ = done_;
    last_report_ = now;
  }

  [[nodiscard]] std::uint32_t since_last_report(Clock::time_point now) const noexcept {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(now - last_report_).count();
    return static_cast<std::uint32_t>(std::min<long long>(took, 0xffffffffLL));
  }

  [[nodiscard]] TaskFrame header(TaskFrameKind kind) const noexcept {
    TaskFrame frame;
    frame.kind = kind;
    frame.task = task_;
    return frame;
  }

  static constexpr std::chrono::milliseconds report_every{1};
  static constexpr std::chrono::microseconds cheap{50};  // items that let the clock be asked less often
  const std::uint64_t task_;
  Reports& reports_;
  const Clock::time_point begun_;
  std::uint32_t reported_;
  std::uint32_t pace_ = 1;
  Clock::time_point last_report_ = begun_;
  Clock::time_point last_send_ = begun_;
  Clock::time_point last_look_ = begun_;
};

class Worker {
 public:
  /// `forked`: this process is a copy of the pool's.
  Worker(platform::Channel& channel, bool forked) noexcept
      : channel_(channel), reports_(channel), forked_(forked) {}

  /// Until there are no more tasks, or the pool is gone.
  void serve() {
    TaskFrame ready;
    ready.kind = TaskFrameKind::ready;
    reports_.add(ready);
    reports_.send();
    while (reader_.wait(channel_) == TaskFrameReader::State::complete) switch (reader_.frame().kind) {
        case TaskFrameKind::function:
          learn();
          break;
        case TaskFrameKind::task:
          run();
          break;
        default:
          return;
      }
  }

  void tell_unusable(const platform::ThrowTrace& trace) {
    TaskFrame unusable;
    unusable.kind = TaskFrameKind::unusable;
    reports_.add(unusable, current_exception_report(trace));
    reports_.send();
  }

 private:
  struct Function {
    detail::Target target;
    std::exception_ptr missing;  ///< why this process has no such code
  };

  void learn() {
    const auto number = reader_.frame().function;
    if (functions_.size() <= number) functions_.resize(number + 1);
    auto& function = functions_[number];
    try {
      detail::Decoder decoder(reader_.body());
      const auto code = detail::decode<FunctionRecord>(decoder);
      function.target = forked_ && code.in_program ? code.here() : find_target(code.target);
    } catch (...) {
      function.missing = std::current_exception();
    }
  }

  void run() {
    const TaskFrame frame = reader_.frame();
    WorkerChunk chunk(frame, reports_);
    try {
      const auto& function = functions_.at(frame.function);
      if (function.missing) std::rethrow_exception(function.missing);
      detail::Decoder decoder(reader_.body());
      function.target.descriptor->run(function.target.function, decoder, nullptr);
    } catch (...) {
      chunk.fail_rest();
    }
    chunk.finish();
  }

  platform::Channel& channel_;
  Reports reports_;
  TaskFrameReader reader_;
  std::vector<Function> functions_;
  const bool forked_;
};

/// In the worker. `initialize` may do nothing.
template <class Initialize>
void work(platform::Channel& channel, bool forked, Initialize initialize) {
  Worker worker(channel, forked);
  platform::ThrowTrace trace;
  try {
    platform::call_traced([](void* function) { (*static_cast<Initialize*>(function))(); }, &initialize,
                          trace);
  } catch (...) {
    worker.tell_unusable(trace);
    multiprocessing::exit(1);
  }
  worker.serve();
}

void run_worker(const void*, detail::Decoder& arguments, detail::Encoder*) {
  platform::Handle handle(arguments.take_handle());
  auto channel = value_or_throw(platform::Channel::adopt_stream(std::move(handle)), "the pool's channel");
  const bool initialized = arguments.number<bool>();
  work(channel, false, [&] {
    if (!initialized) return;
    const auto target = find_target(detail::decode<TargetRecord>(arguments));
    target.descriptor->run(target.function, arguments, nullptr);
  });
}

constexpr detail::TaskDescriptor worker_descriptor = {detail::task_magic, 0x706f6f6c, &run_worker};

}  // namespace

WorkerSubject::WorkerSubject(std::shared_ptr<platform::Channel> channel,
                             std::shared_ptr<detail::Task> initializer)
    : channel_(std::move(channel)), initializer_(std::move(initializer)) {}

detail::ChildTarget WorkerSubject::target() const {
  return {{&worker_descriptor, nullptr}, "of a pool's worker"};
}

void WorkerSubject::encode(detail::Encoder& encoder) const {
  encoder.attach_handle(channel_->get(), channel_);
  encoder.number(initializer_ != nullptr);
  if (initializer_ == nullptr) return;
  detail::encode(encoder, describe_target(initializer_->target(), "of an initializer"));
  initializer_->encode(encoder);
}

void WorkerSubject::run(detail::Encoder*) {
  work(*channel_, true, [&] {
    if (initializer_ != nullptr) initializer_->run(nullptr);
  });
}

void WorkerSubject::now_in_child() noexcept { state_->become_self(); }

}  // namespace multiprocessing::runtime
