// How many processors a process may use: by its affinity, and by the quotas of control groups, which are made
// up here.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#if __has_include("control_groups.hpp")
#include <sched.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "contract/process.hpp"
#include "control_groups.hpp"
#include "test_support/start_methods.hpp"
#else
#include "test_support/listener.hpp"
#endif

namespace backend_processors {

namespace mp = multiprocessing;

#if __has_include("control_groups.hpp")

/// Of its own thread alone, which in a child is the only one that asks.
void bind_to(int processor) {
  std::vector<unsigned long> mask(static_cast<std::size_t>(processor) / (8 * sizeof(unsigned long)) + 1);
  const auto size = mask.size() * sizeof(unsigned long);
  CPU_SET_S(static_cast<std::size_t>(processor), size, reinterpret_cast<cpu_set_t*>(mask.data()));
  if (::sched_setaffinity(0, size, reinterpret_cast<cpu_set_t*>(mask.data())) != 0)
    throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
}

/// In a child, so that the test's own process keeps its processors.
int count_when_bound() {
  const int here = ::sched_getcpu();
  if (here < 0) throw std::system_error(errno, std::generic_category(), "sched_getcpu");
  bind_to(here);
  return mp::process_cpu_count();
}

/// A folder as control groups are mounted in one.
class Groups {
 public:
  Groups()
      : mount_(std::filesystem::temp_directory_path() /
               ("mp_groups_" + std::to_string(mp::platform::current_pid()))) {
    std::filesystem::remove_all(mount_);
    std::filesystem::create_directory(mount_);
  }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;
  ~Groups() {
    std::error_code none;
    std::filesystem::remove_all(mount_, none);
  }

  void write(const std::string& file, const std::string& text) const {
    const auto path = mount_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }
  void write_version_1(const std::string& group, const std::string& quota, const std::string& period) const {
    write(group + "/cpu.cfs_quota_us", quota);
    write(group + "/cpu.cfs_period_us", period);
  }
  /// Of a process whose /proc/self/cgroup says `text`.
  [[nodiscard]] std::optional<int> quota(const std::string& text) const {
    std::istringstream list(text);
    return mp::platform::posix::least_quota_of_groups(list, mount_.string());
  }

 private:
  std::filesystem::path mount_;
};

TEST_SUITE("backend.processors") {
  TEST_CASE("a process that is bound to one processor has one, and its parent keeps its own") {
    const int before = mp::process_cpu_count();
    mp::test_support::with_each_start_method(
        [](mp::Context& context) { CHECK(context.call(count_when_bound) == 1); });
    CHECK(mp::process_cpu_count() == before);
  }

  TEST_CASE("groups of version 2: the least quota up to the mount, rounded up") {
    const Groups groups;
    CHECK_FALSE(groups.quota("0::/a/b\n"));
    groups.write("a/b/cpu.max", "max 100000");
    CHECK_FALSE(groups.quota("0::/a/b\n"));
    groups.write("a/cpu.max", "150000 100000");
    CHECK(groups.quota("0::/a/b\n") == 2);
    groups.write("a/b/cpu.max", "400000 100000");
    CHECK(groups.quota("0::/a/b\n") == 2);
    groups.write("a/b/cpu.max", "5000 100000");
    CHECK(groups.quota("0::/a/b\n") == 1);
    CHECK(groups.quota("0::/a\n") == 2);
    CHECK_FALSE(groups.quota("0::/\n"));
  }

  TEST_CASE("a container sees its own group as the mount, under whatever name its group has outside") {
    const Groups groups;
    groups.write("cpu.max", "300000 100000");
    CHECK(groups.quota("0::/docker/0123\n") == 3);
    CHECK(groups.quota("0::/\n") == 3);
  }

  TEST_CASE("groups of version 1: two files, in the folder of the controllers") {
    const Groups groups;
    groups.write_version_1("cpu,cpuacct/a", "-1", "100000");
    CHECK_FALSE(groups.quota("4:cpu,cpuacct:/a\n"));
    groups.write_version_1("cpu,cpuacct/a", "250000", "100000");
    CHECK(groups.quota("4:cpu,cpuacct:/a\n") == 3);
    CHECK(groups.quota("4:cpu,cpuacct:/a/b\n") == 3);
    // Another controller's name may begin with the same letters.
    groups.write_version_1("cpuset/a", "100000", "100000");
    CHECK_FALSE(groups.quota("3:cpuset:/a\n"));
    CHECK(groups.quota("3:cpuset:/a\n4:cpu,cpuacct:/a\n") == 3);
  }

  TEST_CASE("of groups of both versions the least counts, and of lines that are none nothing") {
    const Groups groups;
    groups.write("a/cpu.max", "400000 100000");
    groups.write_version_1("cpu/a", "200000", "100000");
    CHECK(groups.quota("1:cpu:/a\n0::/a\n") == 2);
    CHECK(groups.quota("0::/a\n1:cpu:/a\n") == 2);
    CHECK(groups.quota("\nnonsense\n0::\n0::a\n0::/a") == 4);
    groups.write("a/cpu.max", "0 100000");
    CHECK_FALSE(groups.quota("0::/a\n"));
    groups.write("a/cpu.max", "many of them");
    CHECK_FALSE(groups.quota("0::/a\n"));
  }
}

#else

TEST_SUITE("backend.processors") {
  TEST_CASE("a process that is bound to one processor has one, and its parent keeps its own") {
    mp::test_support::skip("the system has no control groups, and binds no processes");
  }
}

#endif

}  // namespace backend_processors
