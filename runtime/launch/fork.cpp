// The start method "fork": the child is a copy of this process and needs nothing to be written.
#include "contract/console.hpp"
#include "launch/child_main.hpp"
#include "launch/forking.hpp"
#include "launch/process_state.hpp"
#include "launch/record.hpp"
#include "launch/self.hpp"
#include "launch/start_strategy.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"

namespace multiprocessing::runtime {
namespace {

void apply(StartRequest& request) {
  // Before the first file is opened here: it would get the number of a stream that the parent had closed.
  static_cast<void>(platform::secure_standard_streams());  // a child without them runs all the same
  value_or_throw(platform::bind_standard_streams(request.streams), "the standard streams");
  request.in_flight
      .close_child_streams();  // a second copy would outlive the program's closing of its streams
  apply_setup(setup_from(request.options));
}

/// Nothing may leave this: the copy of the parent's stack that lies below it is not the child's.
[[noreturn]] void run_forked_child(StartRequest& request) noexcept try {
  const platform::ProcessIdentity parent{request.settings.parent_pid, request.settings.parent_start_time};
  const auto link = std::make_shared<ParentLink>(request.in_flight.become_child(), parent);
  request.subject.now_in_child();
  self().become(request.settings, link, true);
  const int code = run_and_report(*link, request.settings.wants_result, [&](detail::Encoder* result) {
    apply(request);
    arm_crash_report_to(*link);
    watch_parent(*link, request.settings.keep_running);
    obey_limits(request.settings);
    log(Level::info, "child process calling self.run()");
    request.subject.run(request.settings.wants_result ? result : nullptr);
  });
  leave_forked_child(code);
} catch (...) {
  platform::write_to_standard_error("a forked child had no memory to begin with\n");
  platform::end_now(1);
}

class ForkStrategy : public StartStrategy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "fork"; }

  [[nodiscard]] platform::ChildProcess start(StartRequest& request) override {
    const auto parent = platform::current_identity();
    request.settings.parent_pid = parent.pid;
    request.settings.parent_start_time = parent.start_time;
    request.in_flight.open_channel();
    auto child = value_or_throw(fork_library(&request.in_flight, [&] { run_forked_child(request); }),
                                "a child of this process");
    request.in_flight.close_child_ends();
    request.in_flight.note_delivered();
    return child;
  }
};

}  // namespace

std::unique_ptr<StartStrategy> make_fork_strategy() { return std::make_unique<ForkStrategy>(); }

}  // namespace multiprocessing::runtime
