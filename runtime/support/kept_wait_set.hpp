// The set of handles that a thread keeps between waits for about the same many things, so that a wait costs
// what is ready and not what is waited for.
#pragma once

#include <multiprocessing/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "contract/wait.hpp"

namespace multiprocessing::runtime {

/// Not thread-safe. When one of its functions fails or throws the object is of no further use.
///
/// Every handle gets a number, its *slot*, as its key in the platform's set. A slot is never given out again:
/// a handle that was closed before it was removed can linger in the kernel's set, where a forked child holds
/// a copy of it, and must not be mistaken for another.
class KeptWaitSet {
 public:
  /// Null if there can be none.
  [[nodiscard]] static std::unique_ptr<KeptWaitSet> create(std::span<const Waitable> list);

  /// Makes `list` what is waited for. False if that cannot be done, or is not worth it.
  [[nodiscard]] bool update(std::span<const Waitable> list);

  struct Ready {
    std::vector<std::size_t> positions;  ///< in the list, ascending
    bool woken = false;
  };
  /// Waits for the list and, if it is not null, for `wakeup`. Empty if the set is not to be trusted.
  [[nodiscard]] std::optional<Ready> wait(platform::Deadline deadline, const platform::Wakeup* wakeup);

 private:
  using Slot = std::uint32_t;
  struct Hash {
    std::size_t operator()(const Waitable& waitable) const noexcept {
      return std::hash<std::uint64_t>()(waitable.identity());
    }
  };

  explicit KeptWaitSet(platform::WaitSet set) noexcept : set_(std::move(set)) {}
  [[nodiscard]] bool replace_middle(std::span<const Waitable> list, std::size_t begin, std::size_t end);
  [[nodiscard]] std::optional<Ready> collect();

  platform::WaitSet set_;
  std::vector<Waitable> list_;
  std::vector<Slot> slots_;  ///< of each position of the list; one that stands there twice has one slot
  std::vector<std::uint32_t> uses_;  ///< of each slot: positions; 0: not in the set any more
  std::unordered_map<Waitable, Slot, Hash> index_;
  std::vector<std::size_t> keys_;     ///< what the last wait answered
  std::vector<unsigned char> ready_;  ///< of each slot, while it is turned into positions
};

/// The set that this thread keeps, brought in step with the list; null if that does not pay or cannot be:
/// then the handles are given to the system one by one. Valid until the next call in this thread, and
/// dropped by drop_kept_wait_set() (support/wait.hpp) or with the thread.
[[nodiscard]] KeptWaitSet* kept_set_for(std::span<const Waitable> list);

}  // namespace multiprocessing::runtime
