// What each thread remembers of its last wait for many things, and so whether it keeps a set of handles for
// the next one. To build a set costs more than a wait without one: it is built when a list comes for the
// second time, or nearly so.
#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/process.hpp"
#include "kept_wait_set.hpp"
#include "support/wait.hpp"

namespace multiprocessing::runtime {
namespace {

/// Fewer handles are passed to the system each time: that is as fast, and no handle of ours stays open.
constexpr std::size_t smallest_kept = 32;

/// Whether a set may pay, and every element can be told from a later one with the same handle.
bool can_be_kept(std::span<const Waitable> list) {
  return list.size() >= smallest_kept && platform::capabilities().kept_wait_sets &&
         std::ranges::none_of(list, [](const Waitable& waitable) { return waitable.identity() == 0; });
}

class Memory {
 public:
  [[nodiscard]] KeptWaitSet* set_for(std::span<const Waitable> list);
  void drop() noexcept;

 private:
  [[nodiscard]] bool resembles_last(std::span<const Waitable> list) const noexcept;

  std::unique_ptr<KeptWaitSet> kept_;
  std::vector<Waitable> last_;  ///< while nothing is kept
  int pid_ = 0;                 ///< the process that all this belongs to
};

KeptWaitSet* Memory::set_for(std::span<const Waitable> list) {
  if (const int pid = platform::current_pid(); pid_ != pid) {
    drop();
    pid_ = pid;
  }
  // Out of kept_ while it is worked on: what throws or fails leaves nothing half done.
  std::unique_ptr<KeptWaitSet> kept = std::move(kept_);
  if (kept != nullptr) {
    if (kept->update(list)) kept_ = std::move(kept);
  } else if (resembles_last(list)) {
    kept_ = KeptWaitSet::create(list);
  }
  if (kept_ != nullptr)
    last_.clear();
  else
    last_.assign(list.begin(), list.end());
  return kept_.get();
}

void Memory::drop() noexcept {
  // After somebody else's fork() the kernel's set is shared with the parent, or not there at all, and closing
  // it could close a stranger: it is left behind.
  if (pid_ != platform::current_pid()) static_cast<void>(kept_.release());
  kept_.reset();
  last_.clear();
}

/// Half of it at the front is enough: the ended ones have been taken out, or new ones added.
bool Memory::resembles_last(std::span<const Waitable> list) const noexcept {
  const auto same = std::ranges::mismatch(last_, list).in1 - last_.begin();
  return static_cast<std::size_t>(same) * 2 >= std::max(last_.size(), list.size());
}

/// The memory of one thread after another. Never freed; without a lock, so that no fork can catch one held.
struct Node {
  std::atomic<std::thread::id> owner;
  Memory memory;
  Node* next = nullptr;
};
constinit std::atomic<Node*> nodes = nullptr;

Node* find_node() noexcept {
  const std::thread::id self = std::this_thread::get_id();
  for (Node* node = nodes.load(std::memory_order_acquire); node != nullptr; node = node->next)
    if (node->owner.load(std::memory_order_acquire) == self) return node;
  return nullptr;
}

/// Gives the thread's memory back. It lies in the list, and is found by the thread's id, because mingw's run
/// time frees a thread's variables before it calls their destructors (GCC bug 83562): this one has no
/// content.
struct AtThreadEnd {
  void arm() const noexcept {}
  ~AtThreadEnd() {
    Node* const node = find_node();
    if (node == nullptr) return;
    node->memory.drop();
    node->owner.store(std::thread::id(), std::memory_order_release);
  }
};
thread_local AtThreadEnd at_thread_end;

Node& node_of_this_thread() {
  if (Node* node = find_node()) return *node;
  at_thread_end.arm();
  const std::thread::id self = std::this_thread::get_id();
  for (Node* node = nodes.load(std::memory_order_acquire); node != nullptr; node = node->next) {
    std::thread::id nobody;
    if (node->owner.compare_exchange_strong(nobody, self, std::memory_order_acq_rel)) return *node;
  }
  Node* const fresh = new Node;
  fresh->owner.store(self, std::memory_order_relaxed);
  fresh->next = nodes.load(std::memory_order_relaxed);
  while (!nodes.compare_exchange_weak(fresh->next, fresh, std::memory_order_acq_rel)) {
  }
  return *fresh;
}

}  // namespace

KeptWaitSet* kept_set_for(std::span<const Waitable> list) {
  if (can_be_kept(list)) return node_of_this_thread().memory.set_for(list);
  drop_kept_wait_set();
  return nullptr;
}

void drop_kept_wait_set() noexcept {
  if (Node* node = find_node()) node->memory.drop();
}

}  // namespace multiprocessing::runtime
