// Talking to one fork server.
#include "server_handle.hpp"

#include <chrono>
#include <multiprocessing/detail/serialize.hpp>
#include <utility>

#include "contract/handle_transfer.hpp"
#include "contract/handover.hpp"
#include "contract/wait.hpp"
#include "forkserver/errand.hpp"
#include "launch/process_state.hpp"
#include "support/errors.hpp"
#include "support/wait.hpp"
#include "wire/exception_report.hpp"

namespace multiprocessing::runtime {
namespace {

using platform::Condition;
using platform::Deadline;

/// How long a server gets for its last words, and to be gone. Its channels are closed a moment before its end
/// is known.
constexpr std::chrono::seconds time_to_end(1);

std::string text_of(const Frame& raised) {
  try {
    const auto report = read_report(raised.body);
    return report.type_name + ": " + report.message;
  } catch (const SerializationError&) {
    return "an exception that cannot be read";
  }
}

}  // namespace

void ServerHandle::adopt(platform::ChildProcess process, platform::Channel channel) noexcept {
  process_ = std::move(process);
  channel_ = std::move(channel);
}

void ServerHandle::release() noexcept {
  process_ = platform::ChildProcess();
  channel_.close();
}

/// False if nobody is there.
bool ServerHandle::send_errand(StartRequest& request, const platform::Wakeup* wakeup) {
  auto& in_flight = request.in_flight;
  Errand errand;
  std::vector<platform::RawHandle> streams;
  for (std::size_t i = 0; i < errand.streams.size(); ++i) {
    errand.streams[i] = request.streams[i].source;
    if (errand.streams[i] == platform::StreamBinding::Source::handle)
      streams.push_back(request.streams[i].handle);
  }
  // Nobody reads this channel yet, and it takes that much.
  value_or_throw(in_flight.handover().write_all(std::as_bytes(std::span(&errand, 1)), Deadline::now()),
                 "the fork server");
  if (!streams.empty())
    value_or_throw(platform::send_handles(in_flight.handover(), streams, Deadline::now()), "the fork server");
  const std::array<platform::RawHandle, handles_of_an_errand> ends = {in_flight.far_handover(),
                                                                      in_flight.child_end()};
  const Turn::Holder turn(sending_, request.stop, request.deadline);
  const auto sent = platform::send_handles(channel_, ends, request.deadline, wakeup);
  if (!sent && sent.error().condition != Condition::broken) throw_os_error(sent.error(), "the fork server");
  return sent.has_value();
}

/// False if there will be none: the server has ended, or takes no more.
bool ServerHandle::wait_for_answer(StartRequest& request, const platform::Wakeup* wakeup) const {
  const auto answer = request.in_flight.handover().readable();
  std::vector<platform::RawHandle> handles = {answer};
  if (wakeup != nullptr) handles.push_back(wakeup->waitable());
  handles.push_back(process_.sentinel());
  handles.push_back(channel_.readable());
  const auto ready = value_or_throw(platform::wait_any(handles, request.deadline), "the fork server");
  if (ready.empty()) throw_os_error({Condition::timed_out, 0, "fork"}, "the fork server");
  if (ready.front() == 0) return true;
  if (handles[ready.front()] != process_.sentinel() && handles[ready.front()] != channel_.readable())
    throw_os_error({Condition::cancelled, 0, "fork"}, "the fork server");
  // What it said last is still to be read.
  return platform::wait_one(answer, Deadline::now()).has_value();
}

std::optional<platform::ChildProcess> ServerHandle::fork_child(StartRequest& request) {
  const StopWakeup wakeup(request.stop);
  if (!send_errand(request, wakeup.get()) || !wait_for_answer(request, wakeup.get())) return std::nullopt;
  // The answer says that the server has all that was sent: only now may anything of it be closed here.
  request.in_flight.close_far_handover();
  auto child =
      platform::take_over_child(std::move(request.in_flight.handover()), request.deadline, wakeup.get());
  if (child) return *std::move(child);
  if (child.error().condition == Condition::broken) return std::nullopt;
  throw_os_error(child.error(), "a child of the fork server");
}

std::string ServerHandle::raised() {
  const std::scoped_lock lock(listening_);
  const auto deadline = Deadline::after(time_to_end);
  for (;;) switch (reader_.advance(channel_)) {
      case FrameReader::State::complete:
        if (const auto frame = reader_.take(); frame.kind == FrameKind::raised) return text_of(frame);
        break;
      case FrameReader::State::waiting:
        if (!platform::wait_one(channel_.readable(), deadline)) return {};
        break;
      case FrameReader::State::ended:
      case FrameReader::State::corrupt:
        return {};
    }
}

std::string ServerHandle::end_in_words() {
  const auto ended = platform::wait_one(process_.sentinel(), Deadline::after(time_to_end));
  const auto status = ended ? process_.poll() : std::nullopt;
  return status ? platform::describe(*status) : "it runs, and takes no more";
}

}  // namespace multiprocessing::runtime
