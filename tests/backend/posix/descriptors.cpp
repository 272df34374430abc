// Descriptors as the system sees them: their flags and numbers at birth, also in a process whose standard
// streams are closed; writes that must not raise SIGPIPE.
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/capabilities.hpp"
#include "contract/channel.hpp"
#include "contract/console.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/process.hpp"
#include "contract/wait.hpp"
#include "descriptor.hpp"
#include "stream.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::posix_descriptor_tests {
namespace {

using namespace test_support;

LaunchRequest shell(const char* script) {
  LaunchRequest request;
  request.executable = "/bin/sh";
  request.arguments = {"sh", "-c", script};
  return request;
}

bool well_born(RawHandle handle) {
  const int flags = ::fcntl(posix::to_fd(handle), F_GETFD);
  return handle > STDERR_FILENO && flags != -1 && (flags & FD_CLOEXEC) != 0;
}

/// One of each kind that the contract makes; how many are not as they should be.
int count_ill_born() {
  auto pair = must(channel_pair());
  auto output = must(stream_pipe(Direction::child_writes));
  auto input = must(stream_pipe(Direction::child_reads));
  const Wakeup wakeup = must(Wakeup::create());
  const Handle copy(must(duplicate_handle(wakeup.waitable())));
  auto child = must(launch(shell("exit 0")));
  join(child);
  Handle foreign;
  if (capabilities().foreign_sentinels) foreign = must(open_sentinel(current_identity()));

  const std::array sent = {wakeup.waitable(), copy.get()};
  must(send_handles(pair.first, sent, patience()));
  const auto received = must(receive_handles(pair.second, sent.size(), patience()));

  int ill = 0;
  for (const RawHandle handle : {pair.first.get(), pair.second.get(), output.parent.get(), output.child.get(),
                                 input.parent.get(), input.child.get(), wakeup.waitable(), copy.get(),
                                 child.sentinel(), received[0].get(), received[1].get()})
    if (!well_born(handle)) ++ill;
  if (foreign && !well_born(foreign.get())) ++ill;
  return ill;
}

/// Runs `work` in a forked child whose standard streams are closed; its result is the exit code.
template <class Work>
ExitStatus without_standard_streams(Work work) {
  auto fork = must(fork_process({}));
  if (!fork.in_child) return join(fork.child);
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) ::close(fd);
  try {
    end_now(work());
  } catch (const std::exception&) {
    end_now(99);
  }
}

}  // namespace

TEST_SUITE("backend.descriptors") {
  TEST_CASE_FIXTURE(LeakCheck, "every handle is close-on-exec at birth") { CHECK(count_ill_born() == 0); }

  TEST_CASE("a number that is no descriptor is refused as such") {
    constexpr RawHandle not_open = 1 << 20;
    const auto refused = Channel::adopt_stream(Handle(not_open));
    REQUIRE(outcome(refused) == Condition::invalid_argument);
    CHECK(refused.error().native == EBADF);
  }

  TEST_CASE("where standard streams are closed no handle gets their numbers") {
    CHECK(without_standard_streams(count_ill_born) == exited(0));
  }

  TEST_CASE("a process without standard streams starts programs, with streams or without") {
    CHECK(without_standard_streams([] {
            auto output = must(stream_pipe(Direction::child_writes));
            auto request = shell("echo text; exit 7");
            request.streams[1] = {StreamBinding::Source::handle, output.child.get()};
            auto child = must(launch(request));
            output.child.reset();
            std::array<std::byte, 5> text{};
            must(output.parent.read_all(text, patience()));
            return text[4] == std::byte{'\n'} ? join(child).code : 1;
          }) == exited(7));
  }

  TEST_CASE("standard streams that are closed are secured, the others stay") {
    CHECK(without_standard_streams([] {
            const int kept = ::open("/dev/zero", O_RDWR);  // gets number 0
            must(secure_standard_streams());
            struct stat zero {};
            struct stat null {};
            struct stat found {};
            ::stat("/dev/zero", &zero);
            ::stat("/dev/null", &null);
            if (kept != 0 || ::fstat(0, &found) != 0 || found.st_rdev != zero.st_rdev) return 1;
            for (int fd = 1; fd <= STDERR_FILENO; ++fd)
              if (::fstat(fd, &found) != 0 || found.st_rdev != null.st_rdev) return 2;
            return 0;
          }) == exited(0));
  }

  TEST_CASE(
      "nobody's reader is gone: a quiet write fails, and a SIGPIPE of the application's stays pending") {
    CHECK(without_standard_streams([] {
            auto pipe = must(posix::make_pipe());
            pipe.read.reset();
            const int fd = posix::to_fd(pipe.write.get());
            if (posix::write_quietly(fd, "x", 1) != -1 || errno != EPIPE) return 1;
            sigset_t only_pipe;
            sigemptyset(&only_pipe);
            sigaddset(&only_pipe, SIGPIPE);
            pthread_sigmask(SIG_BLOCK, &only_pipe, nullptr);
            sigset_t pending;
            sigpending(&pending);
            if (sigismember(&pending, SIGPIPE) != 0) return 2;
            raise(SIGPIPE);
            if (posix::write_quietly(fd, "x", 1) != -1 || errno != EPIPE) return 3;
            sigpending(&pending);
            return sigismember(&pending, SIGPIPE) == 1 ? 0 : 4;
          }) == exited(0));
  }
}

}  // namespace multiprocessing::platform::posix_descriptor_tests
