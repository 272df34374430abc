// The child's side of the bootstrap record: trusts nothing of it that can be checked.
#include <chrono>
#include <cstddef>
#include <iterator>
#include <multiprocessing/freeze_support.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "contract/process.hpp"
#include "launch/child_main.hpp"
#include "launch/record.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"
#include "wire/handles.hpp"

namespace multiprocessing::runtime {
namespace {

/// For a few bytes that there is room for: where writes are begun and then waited for (Windows) one that is
/// given no time at all may be taken back before it is done.
constexpr std::chrono::seconds time_for_a_word(1);

/// The handles that the parent announced.
platform::Status receive_handles(ParentLink& link, const Frame& announcement,
                                 std::vector<platform::Handle>& handles) {
  if (announcement.body.size() != sizeof(std::uint32_t)) return platform::Error{platform::Condition::corrupt};
  const auto count = detail::Decoder(announcement.body).number<std::uint32_t>();
  if (count > most_handles) return platform::Error{platform::Condition::corrupt};
  platform::Status came;
  for (std::size_t left = count; left > 0;) {
    // The parent may have died meanwhile, and an unrelated process hold a copy of the channel.
    if (!link.wait_until_readable()) return platform::Error{platform::Condition::broken};
    auto taken = take_next_handles(link.channel(), left, platform::Deadline::never());
    if (taken) {
      std::ranges::move(*taken, std::back_inserter(handles));
    } else if (taken.error().condition == platform::Condition::out_of_handles) {
      came = taken.error();  // the others are still to be read: what to do without them stands behind
    } else {
      return taken.error();
    }
    if (!came) handles.clear();
    left -= next_portion(left);
  }
  return came;
}

/// What came over the channel; the process ends if that is not a record.
struct Received {
  Frame frame;
  std::vector<platform::Handle> handles;
  platform::Status handles_came;
};

Received receive_record(ParentLink& link) {
  Received received;
  auto frame = link.next_frame();
  if (frame && frame->kind == FrameKind::handles) {
    received.handles_came = receive_handles(link, *frame, received.handles);
    frame = link.next_frame();
  }
  if (!frame || frame->kind != FrameKind::bootstrap) platform::end_now(1);
  received.frame = std::move(*frame);
  return received;
}

ChildSettings read_settings(detail::Decoder& decoder) {
  auto settings = detail::decode<ChildSettings>(decoder);
  take_over_log_settings({static_cast<Level>(settings.log_level), settings.log_to_stderr});
  adopt_start_method(settings.start_method);
  choose_executable({settings.executable, settings.executable_prefix});
  return settings;
}

}  // namespace

int run_from_record(const std::shared_ptr<ParentLink>& link, bool forked,
                    const std::function<void()>& begin) {
  auto received = receive_record(*link);
  ArrivedHandles handles(std::move(received.handles));
  detail::Decoder decoder(received.frame.body);
  decoder.offer_handles(handles.offer());
  ChildSettings settings;
  return run_and_report(*link, settings.wants_result, [&](detail::Encoder* result) {
    settings = read_settings(decoder);
    self().become(settings, link, forked);
    // One who waits for a result learns it with that, and is not to be woken before.
    if (!settings.wants_result)
      static_cast<void>(
          send_frame(link->channel(), FrameKind::running, {}, platform::Deadline::after(time_for_a_word)));
    if (begin) begin();
    apply_setup(settings.setup);
    watch_parent(*link, settings.keep_running);
    value_or_throw(received.handles_came, "the handles among the arguments");
    obey_limits(settings);
    if (!settings.target.registered_name.empty()) register_own_tasks();
    const auto target = find_target(settings.target);
    if (settings.target.is_object) expect_own_object();
    log(Level::info, "child process calling self.run()");
    target.descriptor->run(target.function, decoder, settings.wants_result ? result : nullptr);
  });
}

void apply_setup(const OwnSetup& setup) {
  if (!setup.working_directory.empty())
    value_or_throw(platform::change_working_directory(setup.working_directory), setup.working_directory);
  if (setup.has_environment)
    value_or_throw(platform::replace_environment(setup.environment), "the environment");
  if (const auto priority = static_cast<platform::PriorityClass>(setup.priority);
      priority != platform::PriorityClass::normal)
    value_or_throw(platform::change_priority(priority), "priority");
}

}  // namespace multiprocessing::runtime
