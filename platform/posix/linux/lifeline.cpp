// The end of a process with its parent, at a third of what a thread of the C library costs: a bare thread
// that shares everything with the process, has a small stack and no storage of its own, and does nothing but
// wait in ppoll() and leave by exit_group(). It calls nothing of the C library, whose thread-local variables
// would be those of the thread that made it. Sanitizers must not see it for the same reason. A process that
// may still give up its user has a thread of the C library, on a stack that is there already, doing the same.
// Manual pages: clone(2), poll(2), exit_group(2), pthread_attr_setstack(3), setuid(2).
#include <cerrno>
#include <csignal>

#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clone_call.hpp"
#include "contract/channel.hpp"
#include "contract/fault.hpp"
#include "contract/process.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "signals.hpp"
#include "unsanitized.hpp"

namespace multiprocessing::platform {
namespace {

struct Watched {
  pollfd entries[2];  // the channel, whose hang-up counts; the parent's sentinel
  int code;
};

// One page, which is all that the bare thread touches: each more would cost a new process as much as five
// system calls.
struct alignas(4096) BareThread {
  std::byte stack[4096 - 64];
  alignas(64) Watched watched;
};
static_assert(sizeof(BareThread) == 4096);

// Sanitizers that give each thread of the C library some hundred kilobytes of its stack.
#if defined(__SANITIZE_THREAD__)
constexpr bool large_threads = true;
#elif defined(__has_feature)
constexpr bool large_threads = __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer);
#else
constexpr bool large_threads = false;
#endif

#if defined(__x86_64__) || defined(__aarch64__)
constexpr bool known_processor = true;

MULTIPROCESSING_UNSANITIZED inline long bare_call(long number, long a, long b, long c, long d,
                                                  long e) noexcept {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  long result = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
#endif
}
#else
constexpr bool known_processor = false;

long bare_call(long, long, long, long, long, long) noexcept { return -ENOSYS; }
#endif

// Returns when there is nothing left to watch; the thread ends then.
MULTIPROCESSING_UNSANITIZED int watch(void* argument) noexcept {
  auto& watched = *static_cast<Watched*>(argument);
  pollfd& channel = watched.entries[0];
  pollfd& sentinel = watched.entries[1];
  while (channel.fd >= 0 || sentinel.fd >= 0) {
    channel.revents = sentinel.revents = 0;
    const long ready = bare_call(SYS_ppoll, reinterpret_cast<long>(watched.entries), 2, 0, 0, 8);
    if (ready == -EINTR || ready == -EAGAIN) continue;
    if (ready < 0) return 0;
    if ((channel.revents & POLLHUP) != 0 || (sentinel.revents & POLLIN) != 0)
      bare_call(SYS_exit_group, watched.code, 0, 0, 0, 0);
    // Closed by the application: the number may become another file's.
    if (channel.revents != 0) channel.fd = -1;
    if (sentinel.revents != 0) sentinel.fd = -1;
  }
  return 0;
}

// A process that could still give up its user: the C library does so thread by thread, and does not know the
// bare one, which would keep what the others gave up.
bool may_change_its_user() noexcept {
  uid_t real = 0, effective = 0, saved = 0;
  if (::getresuid(&real, &effective, &saved) != 0) return true;
  return real == 0 || effective == 0 || saved == 0 || real != effective || effective != saved;
}

extern "C" void* watch_as_known_thread(void* watched) noexcept {
  watch(watched);
  return nullptr;
}

// To map a stack and to unmap it costs as much as the thread itself. A program whose thread-local storage
// does not fit into this one has a thread with a stack of its own. The C library may leave two kilobytes
// below that storage, where a signal's frame alone needs more, and there is no guard: so it does not know of
// the reserve.
Status watch_in_known_thread(Watched& watched) noexcept {
  constexpr std::size_t reserve = 16 * 1024;
  alignas(64) static std::byte stack[192 * 1024];  // PTHREAD_STACK_MIN is 128 KiB on some processors
  if (large_threads) return Error{Condition::not_supported, 0, "pthread_create"};
  pthread_attr_t attributes;
  if (const int failure = pthread_attr_init(&attributes))
    return posix::start_error(failure, "pthread_attr_init");
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  int failure = pthread_attr_setstack(&attributes, stack + reserve, sizeof stack - reserve);
  if (failure == 0) {
    const posix::AllSignalsBlocked blocked;  // the new thread inherits the mask
    pthread_t thread;
    failure = pthread_create(&thread, &attributes, &watch_as_known_thread, &watched);
  }
  pthread_attr_destroy(&attributes);
  if (failure == EINVAL) return Error{Condition::not_supported, EINVAL, "pthread_create"};
  if (failure != 0) return posix::start_error(failure, "pthread_create");
  return {};
}

}  // namespace

Status end_with_peer(const Channel& channel, RawHandle sentinel, int code) noexcept {
  if (auto failure = fault_point(Call::end_with_peer)) return *failure;
  if (!known_processor || forced("no-clone")) return Error{Condition::not_supported, 0, "clone"};
  static BareThread thread;
  Watched& watched = thread.watched;
  watched = {{{posix::to_fd(channel.get()), 0, 0}, {posix::to_fd(sentinel), POLLIN, 0}}, code};
  if (may_change_its_user() && !forced("bare-lifeline")) return watch_in_known_thread(watched);
  constexpr int shared = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  const posix::AllSignalsBlocked blocked;  // the new thread inherits the mask
  if (MULTIPROCESSING_CLONE(&watch, thread.stack + sizeof thread.stack, shared, &watched) != -1) return {};
  return posix::start_error(errno, "clone");
}

}  // namespace multiprocessing::platform
