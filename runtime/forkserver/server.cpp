// In the fork server: one thread that waits for errands, for the ends of its children and for that of its
// owner. It forks, hands the child over, and tells how it ended. Each child closes what belongs to the server
// and to its other children before it does anything else, and lives on when the server does not: its lifeline
// is its own channel to the owner.
#include "server.hpp"

#include <map>
#include <memory>
#include <multiprocessing/context.hpp>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "contract/console.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/handover.hpp"
#include "contract/wait.hpp"
#include "forkserver/errand.hpp"
#include "launch/child_main.hpp"
#include "launch/forking.hpp"
#include "launch/record.hpp"
#include "launch/self.hpp"
#include "preload.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"

namespace multiprocessing::runtime {
namespace {

using platform::Deadline;

/// An errand with all that came with it.
struct Order {
  platform::Channel handover;
  platform::Channel control;
  OrderedStreams streams;

  /// Gives up what was opened for the child.
  void let_go() noexcept {
    control.close();
    streams.handles.clear();
  }
};

class Server {
 public:
  explicit Server(ParentLink& owner)
      : owner_(owner), set_(value_or_throw(platform::WaitSet::create(), "the fork server")) {
    watch(owner_.channel().readable(), errands);
    if (owner_.parent_sentinel()) watch(owner_.parent_sentinel().get(), owner_gone);
  }

  void serve() {
    while (serving_ || !running_.empty()) {
      // What could not be waited for is waited for again.
      if (!set_->wait(ready_, Deadline::never())) continue;
      for (std::size_t i = 0; i < ready_.size(); ++i) {  // an errand takes room for more
        const auto key = ready_[i];
        if (key == owner_gone) return;
        if (key == errands)
          take_errand();
        else
          see_end(key);
      }
    }
  }

 private:
  enum Key : std::size_t { errands, owner_gone, first_child };
  struct Running {
    platform::ChildProcess child;
    platform::Channel handover;
  };

  void watch(platform::RawHandle handle, std::size_t key) {
    value_or_throw(set_->add(handle, key), "the fork server");
  }

  /// The owner has let go of this server, or it has no room for more: by the end of the channel each learns
  /// that of the other. Those that run are still waited for.
  void retire() {
    serving_ = false;
    static_cast<void>(set_->remove(errands));
    owner_.channel().close();
  }

  void take_errand() try {
    auto handles = platform::receive_handles(owner_.channel(), handles_of_an_errand, Deadline::now());
    if (!handles && handles.error().condition == platform::Condition::timed_out) return;
    if (!handles) return retire();
    auto handover = platform::Channel::adopt(std::move((*handles)[0]));
    if (!handover) return retire();  // there is nothing to refuse it by
    Order order;
    order.handover = *std::move(handover);
    auto control = platform::Channel::adopt(std::move((*handles)[1]));
    if (!control) return refuse(order, control.error());
    order.control = *std::move(control);
    try {
      carry_out(order);
    } catch (const std::bad_alloc&) {  // a child that is there by now is told nothing, and ends
      refuse(order, {platform::Condition::out_of_memory, 0, "fork"});
    }
  } catch (const std::bad_alloc&) {
    retire();  // as without an end to refuse it by
  }

  void carry_out(Order& order) {
    auto streams = read_errand(order.handover);
    if (!streams) return refuse(order, streams.error());
    order.streams = *std::move(streams);
    // Before there is a child: what is handed over must not get lost here for want of memory, nor its end.
    ready_.reserve(running_.size() + first_child + 1);
    const std::size_t key = next_key_++;
    auto running = running_.extract(running_.try_emplace(key).first);
    auto child = fork_library(nullptr, [&] { become_child(order); });
    order.let_go();
    // Without room here another server has it: the owner starts one.
    if (!child && child.error().condition == platform::Condition::out_of_handles) return retire();
    if (!child) return refuse(order, child.error());
    const auto watched = set_->add(child->sentinel(), key);
    // One that cannot be watched, or that nobody takes over, has nobody to tell it what to run.
    const auto handed_over =
        watched ? platform::hand_over_child(order.handover, *child, Deadline::now()) : watched;
    if (!handed_over) static_cast<void>(child->send(platform::StopSignal::kill));
    if (!watched) return refuse(order, watched.error());
    running.mapped() = {*std::move(child), std::move(order.handover)};
    running_.insert(std::move(running));
  }

  static void refuse(Order& order, const platform::Error& why) {
    static_cast<void>(platform::refuse_child(order.handover, why, Deadline::now()));
  }

  void see_end(std::size_t key) {
    const auto found = running_.find(key);
    if (found == running_.end()) return;
    const auto status = found->second.child.poll();
    if (!status) return;
    static_cast<void>(set_->remove(key));
    static_cast<void>(platform::tell_end(found->second.handover, *status, Deadline::now()));
    running_.erase(found);
  }

  /// In the forked child. Nothing may leave this: what lies below on the stack is the server's.
  [[noreturn]] void become_child(Order& order) noexcept try {
    order.handover.close();
    running_.clear();
    set_.reset();
    const auto link = std::make_shared<ParentLink>(std::move(order.control), owner_.parent(),
                                                   owner_.take_parent_sentinel());
    owner_.abandon();
    arm_crash_report_to(*link);
    const int code = run_from_record(link, true, [&] {
      value_or_throw(platform::bind_standard_streams(order.streams.bindings), "the standard streams");
      order.streams.handles.clear();  // a second copy would outlive the program's closing of its streams
    });
    leave_forked_child(code);
  } catch (...) {
    platform::write_to_standard_error("a child of the fork server had no memory to begin with\n");
    platform::end_now(1);
  }

  ParentLink& owner_;
  std::optional<platform::WaitSet> set_;
  std::map<std::size_t, Running> running_;
  std::vector<std::size_t> ready_;
  std::size_t next_key_ = first_child;
  bool serving_ = true;
};

void run_preload(const std::vector<PreloadedFunction>& functions) {
  for (const auto& function : functions) {
    const auto target = find_target(function.target);
    detail::Decoder data(function.data);
    target.descriptor->run(target.function, data, nullptr);
  }
}

void run_server(const void*, detail::Decoder& arguments, detail::Encoder*) {
  platform::hold_interrupts();
  run_preload(detail::decode<std::vector<PreloadedFunction>>(arguments));
  log(Level::debug, "the fork server serves");
  const auto link = self().link();
  if (!link->parent_is_gone()) Server(*link).serve();
  flush_standard_streams();
  platform::end_now(0);
}

constexpr detail::TaskDescriptor server_descriptor = {
    detail::task_magic, detail::call_signature<void, std::vector<PreloadedFunction>>(), &run_server};

}  // namespace

detail::Target server_target() noexcept { return {&server_descriptor, nullptr}; }

void register_server() { detail::register_target("multiprocessing.forkserver", server_target()); }

}  // namespace multiprocessing::runtime
