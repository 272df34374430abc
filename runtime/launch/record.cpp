// The parent's side of the bootstrap record.
#include "launch/record.hpp"

#include <chrono>
#include <multiprocessing/errors.hpp>
#include <string>
#include <utility>

#include "contract/wait.hpp"
#include "launch/process_state.hpp"
#include "support/errors.hpp"
#include "support/wait.hpp"
#include "wire/frame.hpp"
#include "wire/handles.hpp"

namespace multiprocessing::runtime {
namespace {

/// How long a child that has closed its end of the control channel gets to end by itself.
constexpr std::chrono::seconds time_to_end(1);

/// `receiver`: the child that holds the other end itself; none where a launcher stands between.
platform::Status send_record(platform::Channel& channel, platform::RawHandle receiver,
                             const detail::Encoder& record, platform::Deadline deadline,
                             const platform::Wakeup* wakeup) {
  if (const auto handles = record.handles(); !handles.empty()) {
    auto outgoing = OutgoingHandles::prepare(handles);
    if (!outgoing) return outgoing.error();
    detail::Encoder count;
    count.number(static_cast<std::uint32_t>(handles.size()));
    if (auto sent = send_frame(channel, FrameKind::handles, count.bytes(), deadline, wakeup); !sent)
      return sent;
    const auto sent = receiver == platform::no_handle ? outgoing->send(channel, deadline, wakeup)
                                                      : outgoing->give(channel, receiver, deadline, wakeup);
    if (!sent) return sent;
  }
  return send_frame(channel, FrameKind::bootstrap, record.bytes(), deadline, wakeup);
}

}  // namespace

detail::Encoder write_record(StartRequest& request) {
  const auto parent = platform::current_identity();
  request.settings.parent_pid = parent.pid;
  request.settings.parent_start_time = parent.start_time;
  auto child = request.subject.target();
  request.settings.target = describe_target(child.target, std::move(child.type_name));
  request.settings.target.is_object = child.is_object;
  detail::Encoder record;
  record.allow_handles();
  detail::encode(record, request.settings);
  request.subject.encode(record);
  if (record.handles().size() > most_handles)
    throw ValueError("start(): the arguments hold " + std::to_string(record.handles().size()) +
                     " handles, and no more than " + std::to_string(most_handles) + " can travel");
  return record;
}

void deliver_record(platform::ChildProcess& child, const detail::Encoder& record, StartRequest& request) {
  const StopWakeup wakeup(request.stop);
  const bool launched_by_another = !request.settings.executable_prefix.empty();
  const auto sent = send_record(request.in_flight.parent_end(),
                                launched_by_another ? platform::no_handle : child.sentinel(), record,
                                request.deadline, wakeup.get());
  if (sent) return;
  const bool ended = sent.error().condition == platform::Condition::broken;
  // A child that ended before it read all of it is a child that ended: its exit code tells how. The channel
  // breaks a moment before the end is known, and a kill in between would take the place of that code.
  if (ended) static_cast<void>(platform::wait_one(child.sentinel(), platform::Deadline::after(time_to_end)));
  // Whoever reads no more shall not wait for the rest either.
  static_cast<void>(child.send(platform::StopSignal::kill));
  if (ended) return;
  // Nobody will ask for it any more: it is to be gone when the failure is told.
  static_cast<void>(platform::wait_one(child.sentinel(), platform::Deadline::after(time_to_end)));
  static_cast<void>(child.poll());
  throw_os_error(sent.error(), "the arguments of the child");
}

std::optional<std::vector<std::string>> environment_entries(const ProcessOptions& options) {
  if (!options.environment) return std::nullopt;
  std::vector<std::string> entries;
  for (const auto& [name, value] : *options.environment) entries.push_back(name + '=' + value);
  return entries;
}

OwnSetup setup_from(const ProcessOptions& options) {
  OwnSetup setup;
  setup.working_directory = options.working_directory;
  setup.has_environment = options.environment.has_value();
  if (auto entries = environment_entries(options)) setup.environment = std::move(*entries);
  setup.priority = static_cast<std::uint8_t>(options.priority);
  return setup;
}

}  // namespace multiprocessing::runtime
