// Several children at a time: each batch is one mp::call_async(). A child that is late is stopped through its
// future; the others never notice.
#include "schedule.hpp"

#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <utility>

namespace scan {
namespace {

namespace mp = multiprocessing;
using Clock = std::chrono::steady_clock;

/// Numbers of the batches that have ended, in that order. The library's thread adds, the scheduler takes.
class Arrivals {
 public:
  void add(std::size_t number) {
    const std::lock_guard lock(mutex_);
    numbers_.push_back(number);
    changed_.notify_one();
  }

  /// nullopt if none has come by then.
  std::optional<std::size_t> take(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, deadline, [this] { return !numbers_.empty(); })) return std::nullopt;
    const std::size_t number = numbers_.front();
    numbers_.pop_front();
    return number;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::size_t> numbers_;
};

/// What an exception of a child says, and where in the child it was thrown.
std::string describe(const std::exception& error) {
  try {
    std::rethrow_if_nested(error);  // the trace travels inside of what was thrown
  } catch (const mp::RemoteError& remote) {
    return describe(remote);
  } catch (...) {
  }
  const auto* remote = dynamic_cast<const mp::RemoteError*>(&error);
  return remote == nullptr ? error.what() : std::string(remote->what()) + '\n' + remote->trace();
}

class Scheduler {
 public:
  Scheduler(const Options& options, const std::function<void(const Outcome&)>& report)
      : options_(options), report_(report) {}

  void run(Walk& walk) {
    std::optional<std::vector<File>> files = walk.next();
    while (files || !running_.empty()) {
      for (; files && running_.size() < options_.jobs; files = walk.next()) start(std::move(*files));
      if (running_.empty()) continue;
      if (const std::optional<std::size_t> number = arrivals_->take(earliest_deadline()))
        collect(*number);
      else
        stop_overdue();
    }
  }

 private:
  struct Running {
    Outcome outcome;
    mp::Future<BatchCounts> counts;
    Clock::time_point deadline;
    bool overdue = false;
  };

  void start(std::vector<File> files) {
    Outcome outcome{.number = ++started_, .files = files.size(), .first = files.front().path};
    try {
      const std::size_t number = outcome.number;
      mp::Future<BatchCounts> counts =
          mp::call_async(count_batch, Batch{std::move(files), options_.words, options_.injections});
      running_.emplace(number, Running{std::move(outcome), counts, deadline_from_now()});
      counts.add_done_callback([arrivals = arrivals_, number](const auto&) { arrivals->add(number); });
    } catch (const mp::OSError& error) {  // no process, no memory: the others go on
      outcome.failure = error.what();
      report_(outcome);
    }
  }

  Clock::time_point deadline_from_now() const {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(options_.limit);
  }

  Clock::time_point earliest_deadline() const {
    Clock::time_point earliest = Clock::time_point::max();
    for (const auto& [number, batch] : running_)
      if (!batch.overdue) earliest = std::min(earliest, batch.deadline);
    return earliest;
  }

  void stop_overdue() {
    const Clock::time_point now = Clock::now();
    for (auto& [number, batch] : running_)
      if (!batch.overdue && batch.deadline <= now) batch.overdue = batch.counts.cancel();
  }

  void collect(std::size_t number) {
    auto batch = running_.extract(number);
    Outcome& outcome = batch.mapped().outcome;
    try {
      outcome.counts = batch.mapped().counts.result();
    } catch (const mp::CancelledError&) {
      std::ostringstream text;
      text << "stopped after " << options_.limit.count() << " s";
      outcome.failure = text.str();
    } catch (const std::exception& error) {
      outcome.failure = describe(error);
    }
    report_(outcome);
  }

  const Options& options_;
  const std::function<void(const Outcome&)>& report_;
  const std::shared_ptr<Arrivals> arrivals_ = std::make_shared<Arrivals>();
  std::map<std::size_t, Running> running_;
  std::size_t started_ = 0;
};

}  // namespace

void run_batches(Walk& walk, const Options& options, const std::function<void(const Outcome&)>& report) {
  Scheduler(options, report).run(walk);
}

}  // namespace scan
