// Processors on Linux: the affinity mask, and the quotas of control groups, those of the groups above
// included. Version 2 has one file ("max 100000" or "quota period"), version 1 two, below a folder that is
// named after the controllers. In a container the groups' names may be those of the host, while only the
// container's own group is mounted: then the root of the mount is asked. Manual pages: sched_getaffinity(2),
// cgroups(7).
#include "processors.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <sched.h>

#include "control_groups.hpp"

namespace multiprocessing::platform::posix {
namespace {

std::optional<int> rounded_up(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<int>(std::max(1LL, (quota + period - 1) / period));
}

std::optional<int> quota_of_version_2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  long long period = 0;
  if (!(file >> quota >> period) || quota == "max") return std::nullopt;
  return rounded_up(std::atoll(quota.c_str()), period);
}

std::optional<int> quota_of_version_1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  long long quota = 0;
  long long period = 0;
  if (!(quota_file >> quota) || !(period_file >> period)) return std::nullopt;
  return rounded_up(quota, period);
}

// The least quota from `group` up to the root of the mount.
template <class Quota>
std::optional<int> least_quota(const std::string& root, std::string group, Quota quota_of) {
  std::optional<int> least;
  for (;;) {
    if (group == "/") group.clear();
    if (const auto quota = quota_of(root + group)) least = std::min(least.value_or(*quota), *quota);
    if (group.empty()) return least;
    group.erase(group.find_last_of('/'));
  }
}

bool has_word(const std::string& list, const std::string& word) {
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

// One line of /proc/self/cgroup: "number:controllers:/group".
std::optional<int> quota_of_line(const std::string& line, const std::string& mount) {
  const auto first = line.find(':');
  const auto second = line.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) return std::nullopt;
  const std::string controllers = line.substr(first + 1, second - first - 1);
  const std::string group = line.substr(second + 1);
  if (group.empty() || group.front() != '/') return std::nullopt;
  if (controllers.empty()) return least_quota(mount, group, quota_of_version_2);
  if (!has_word(controllers, "cpu")) return std::nullopt;
  return least_quota(mount + "/" + controllers, group, quota_of_version_1);
}

}  // namespace

std::optional<int> allowed_processors() noexcept {
  for (std::size_t words = 16; words <= 16384;
       words *= 2) {  // machines of more than a million processors: none
    std::vector<unsigned long> mask(words);
    auto* const set = reinterpret_cast<cpu_set_t*>(mask.data());
    const std::size_t size = words * sizeof(unsigned long);
    if (::sched_getaffinity(0, size, set) == 0) return CPU_COUNT_S(size, set);
    if (errno != EINVAL) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<int> processor_quota() {
  std::ifstream list("/proc/self/cgroup");
  return least_quota_of_groups(list, "/sys/fs/cgroup");
}

std::optional<int> least_quota_of_groups(std::istream& list, const std::string& mount) {
  std::optional<int> least;
  for (std::string line; std::getline(list, line);)
    if (const auto quota = quota_of_line(line, mount)) least = std::min(least.value_or(*quota), *quota);
  return least;
}

}  // namespace multiprocessing::platform::posix
