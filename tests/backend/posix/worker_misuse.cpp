// ctest: timeout=240
// Workers whose tasks take from them what they work with: all descriptors, or the room to write anything. A
// full disk is a device that is always full, and a limit on the size of files.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <ranges>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "contract/process.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/start_methods.hpp"

namespace backend_worker_misuse {

namespace mp = multiprocessing;
using mp::test_support::LeakCheck;
using mp::test_support::with_each_start_method;

constexpr int tasks = 40;
bool is_bad(int x) { return x % 10 == 3; }
const std::set<std::size_t> bad_tasks = {3, 13, 23, 33};

void close_all() {
  for (int fd = 0; fd < 4096; ++fd) close(fd);
}
int close_all_at_three(int x) {
  if (is_bad(x)) close_all();
  return x;
}
int close_all_and_stay_at_three(int x) {
  if (!is_bad(x)) return x;
  close_all();
  for (;;) pause();
}
int close_the_channels_at_three(int x) {
  if (!is_bad(x)) return x;
  for (int fd = 3; fd < 4096; ++fd) close(fd);
  throw std::system_error(EBADF, std::generic_category(), "nobody hears this");
}

constexpr const char* full_device = "/dev/full";

/// Throws what a program throws that finds its disk full. Closes the file.
void write_much(int fd) {
  if (fd == -1) throw std::system_error(errno, std::generic_category(), "open");
  const std::string much(256 * 1024, 'x');
  ssize_t written = 1;
  for (int i = 0; i < 4 && written > 0; ++i) written = write(fd, much.data(), much.size());
  const int failure = errno;
  close(fd);
  if (written <= 0) throw std::system_error(failure, std::generic_category(), "write");
}
int fill_the_disk_at_three(int x) {
  if (is_bad(x)) write_much(open(full_device, O_WRONLY | O_CLOEXEC));
  return x;
}

/// From here on the files of this process are as short as if the disk were full.
void leave_little_room() {
  const rlimit little = {64 * 1024, 64 * 1024};
  if (setrlimit(RLIMIT_FSIZE, &little) != 0) mp::exit(5);
}
void leave_little_room_and_go_on() {
  std::signal(SIGXFSZ, SIG_IGN);
  leave_little_room();
}
int write_much_at_three(int x) {
  if (!is_bad(x)) return x;
  const auto path = std::filesystem::temp_directory_path() / ("mp_much_" + std::to_string(getpid()));
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  unlink(path.c_str());
  write_much(fd);
  return -1;
}

/// What this process says of itself goes onto a full disk.
void speak_to_a_full_disk() {
  const int fd = open(full_device, O_WRONLY | O_CLOEXEC);
  if (fd == -1 || dup2(fd, 1) == -1 || dup2(fd, 2) == -1) mp::exit(5);
  close(fd);
  mp::log_to_stderr(mp::Level::debug);
}
int throw_or_die(int x) {
  if (x % 10 == 5) mp::platform::end_now(9);
  if (is_bad(x)) throw std::system_error(ENOSPC, std::generic_category(), "write");
  return x;
}

bool has_full_device() {
  if (std::filesystem::exists(full_device)) return true;
  mp::test_support::skip("this system has no device that is always full");
  return false;
}

/// The bad tasks have no result, and all others have theirs; `check` looks at the bad ones.
template <class F, class Check>
void demand_others(mp::Pool& pool, F task, Check check) {
  std::set<std::size_t> bad;
  for (auto& outcome : pool.imap_outcomes(task, std::views::iota(0, tasks))) {
    if (outcome) {
      CHECK(*outcome == static_cast<int>(outcome.index()));
      continue;
    }
    bad.insert(outcome.index());
    check(outcome);
  }
  CHECK(bad == bad_tasks);
  CHECK(pool.apply(task, 1) == 1);
}

const auto died = [](auto& outcome) { CHECK(outcome.died() != nullptr); };

/// A file to which each task adds a byte at its own place in the order of beginning: its number.
std::string begun_file(int pool_pid) {
  return (std::filesystem::temp_directory_path() / ("mp_begun_" + std::to_string(pool_pid))).string();
}
int begin_and_close_all_now_and_then(int x) {
  const int fd = open(begun_file(mp::parent_process()->pid()).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd == -1 || write(fd, &x, sizeof x) != static_cast<ssize_t>(sizeof x)) mp::exit(5);
  close(fd);
  if (x % 100 == 99) close_all();
  return x;
}
std::vector<int> begun_tasks(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<int> numbers;
  for (int x = 0; file.read(reinterpret_cast<char*>(&x), sizeof x);) numbers.push_back(x);
  return numbers;
}

/// Whether the failure of a task is that error of the system.
bool is_error(const std::exception_ptr& failure, int code) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::system_error& error) {
    return error.code() == std::error_code(code, std::generic_category());
  } catch (...) {
    return false;
  }
}

TEST_SUITE("backend.worker_misuse") {
  TEST_CASE_FIXTURE(LeakCheck, "a worker that closes all its descriptors costs its task and no other") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool = context.Pool(2);
      demand_others(pool, close_all_at_three, died);
      demand_others(pool, close_all_and_stay_at_three, died);
      demand_others(pool, close_the_channels_at_three, died);
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "no task is done twice although workers close all their descriptors") {
    constexpr int many = 2000;
    const std::string path = begun_file(getpid());
    with_each_start_method([&](mp::Context& context) {
      std::ofstream(path, std::ios::trunc).close();
      {
        mp::Pool pool = context.Pool(2);
        for (auto& outcome : pool.imap_outcomes(begin_and_close_all_now_and_then, std::views::iota(0, many)))
          CHECK((outcome || outcome.died() != nullptr));
      }
      auto begun = begun_tasks(path);
      std::ranges::sort(begun);
      CHECK(begun.size() == many);
      CHECK(std::ranges::adjacent_find(begun) == begun.end());
    });
    std::filesystem::remove(path);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a task whose worker closes all its descriptors is run again if it may be") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool(2, {.retries = 2, .context = context});
      demand_others(pool, close_all_at_three, died);
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a task that finds the disk full says so, and the others have their results") {
    if (!has_full_device()) return;
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool = context.Pool(2);
      demand_others(pool, fill_the_disk_at_three,
                    [](auto& outcome) { CHECK(is_error(outcome.error(), ENOSPC)); });
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a task that writes more than it may says so, or dies of it, alone") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool telling(2, {.initializer = {leave_little_room_and_go_on}, .context = context});
      demand_others(telling, write_much_at_three,
                    [](auto& outcome) { CHECK(is_error(outcome.error(), EFBIG)); });
      mp::Pool dying(2, {.initializer = {leave_little_room}, .context = context});
      demand_others(dying, write_much_at_three, [](auto& outcome) {
        REQUIRE(outcome.died() != nullptr);
        CHECK(outcome.died()->exitcode() == -SIGXFSZ);
      });
    });
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "workers whose own words find the disk full work on, and their tasks fail as ever") {
    if (!has_full_device()) return;
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool(2, {.initializer = {speak_to_a_full_disk}, .context = context});
      std::set<std::size_t> threw, dead;
      for (auto& outcome : pool.imap_outcomes(throw_or_die, std::views::iota(0, tasks)))
        if (!outcome) {
          const bool is_dead = outcome.died() != nullptr;
          CHECK((is_dead || is_error(outcome.error(), ENOSPC)));
          (is_dead ? dead : threw).insert(outcome.index());
        }
      CHECK(threw == bad_tasks);
      CHECK(dead == std::set<std::size_t>{5, 15, 25, 35});
    });
  }
}

}  // namespace backend_worker_misuse
