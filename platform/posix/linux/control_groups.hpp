// The quotas of processor time that control groups have. Where the groups are is an argument, so that tests
// can make some up.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

namespace multiprocessing::platform::posix {

/// The least quota of the groups that `list` names and of those above them, in processors, rounded up. `list`
/// is what /proc/self/cgroup has; `mount` the folder where groups lie.
[[nodiscard]] std::optional<int> least_quota_of_groups(std::istream& list, const std::string& mount);

}  // namespace multiprocessing::platform::posix
