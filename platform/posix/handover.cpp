// Children that one process forks for another. The forking side sends an Introduction and, where the system
// can send it, the sentinel that it got with the fork: so nothing can come between. Elsewhere the other side
// opens one by pid and start time: also wherever handles on their way may be dropped, since a kqueue does not
// travel. A child that has ended by then gets a sentinel that is ready. Where there
// are no exact sentinels a thread of the other side waits for the word, and a child whose forking process is
// gone counts as ended. Kernel objects: a pair of unix sockets for each child, and its sentinel.
#include "contract/handover.hpp"

#include <cerrno>
#include <cstring>
#include <span>

#include "child.hpp"
#include "contract/handle_transfer.hpp"
#include "told_end.hpp"

namespace multiprocessing::platform {
namespace {

using posix::Introduction;
using posix::Word;

constexpr Error nonsense{Condition::corrupt, EPROTO, "take_over_child"};

template <class Message>
Status send_message(Channel& to, const Message& message, Deadline deadline) noexcept {
  return to.write_all(std::as_bytes(std::span(&message, 1)), deadline);
}

Result<Introduction> introduce(const ChildProcess& child) noexcept {
  Introduction message;
  message.pid = child.pid();
  if (posix::sentinels_travel()) {
    message.sentinel = Introduction::Sentinel::follows;
    return message;
  }
  const auto identity = identify(child.pid());
  if (identity) {
    message.start_time = identity->start_time;
    message.sentinel = Introduction::Sentinel::by_pid;
  } else if (identity.error().condition != Condition::gone) {
    return identity.error();
  }
  return message;
}

// What a taken over child is watched by.
struct Watched {
  Handle exact;
  std::shared_ptr<posix::AnnouncedEnd> announced;
};

Result<Watched> exact(Result<Handle> sentinel) {
  if (!sentinel) return sentinel.error();
  return Watched{*std::move(sentinel), nullptr};
}

Result<Watched> sent_sentinel(Channel& from, Deadline deadline, const Wakeup* wakeup) {
  auto handles = receive_handles(from, 1, deadline, wakeup);
  if (!handles) return handles.error();
  return Watched{std::move(handles->front()), nullptr};
}

Result<Watched> announced_sentinel(const Channel& from) {
  auto announced = posix::AnnouncedEnd::create();
  if (!announced) return announced.error();
  auto word = posix::duplicate(posix::to_fd(from.readable()));
  if (!word) return word.error();
  if (auto watched = posix::AnnouncedEnd::watch(*announced, *std::move(word)); !watched)
    return watched.error();
  return Watched{Handle(), *std::move(announced)};
}

Result<Watched> opened_sentinel(const ProcessIdentity& identity, const Channel& from) {
  if (!posix::exact_sentinels()) return announced_sentinel(from);
  auto sentinel = open_sentinel(identity);
  if (!sentinel && sentinel.error().condition == Condition::gone) return exact(posix::ready_sentinel());
  return exact(std::move(sentinel));
}

Result<Watched> watch(const Introduction& message, Channel& from, Deadline deadline, const Wakeup* wakeup) {
  switch (message.sentinel) {
    case Introduction::Sentinel::follows:
      return sent_sentinel(from, deadline, wakeup);
    case Introduction::Sentinel::by_pid:
      return opened_sentinel({message.pid, message.start_time}, from);
    case Introduction::Sentinel::over:
      return exact(posix::ready_sentinel());
  }
  return nonsense;
}

}  // namespace

Status hand_over_child(Channel& to, const ChildProcess& child, Deadline deadline) {
  const auto message = introduce(child);
  if (!message) return message.error();
  if (auto sent = send_message(to, *message, deadline); !sent) return sent;
  if (message->sentinel != Introduction::Sentinel::follows) return {};
  const RawHandle sentinel = child.sentinel();
  return send_handles(to, std::span(&sentinel, 1), deadline);
}

Status refuse_child(Channel& to, const Error& why, Deadline deadline) noexcept {
  Introduction message;
  message.native = why.native;
  message.condition = why.condition;
  return send_message(to, message, deadline);
}

Status tell_end(Channel& to, const ExitStatus& status, Deadline deadline) noexcept {
  Word word;
  word.code = status.code;
  word.kind = status.kind;
  return send_message(to, word, deadline);
}

Result<ChildProcess> take_over_child(Channel from, Deadline deadline, const Wakeup* wakeup) {
  Introduction message;
  if (auto read = from.read_all(std::as_writable_bytes(std::span(&message, 1)), deadline, wakeup); !read)
    return read.error();
  if (message.magic != Introduction::expected_magic || message.pid < 0 ||
      message.condition > Condition::other)
    return nonsense;
  if (message.pid == 0) return Error{message.condition, message.native, "fork"};
  auto watched = watch(message, from, deadline, wakeup);
  if (!watched) return watched.error();
  return ChildProcess(std::make_unique<ChildProcess::State>(
      ProcessIdentity{message.pid, message.start_time}, std::move(watched->exact),
      std::move(watched->announced), std::make_unique<posix::ToldEnd>(std::move(from))));
}

}  // namespace multiprocessing::platform
