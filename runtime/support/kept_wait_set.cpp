// Keeps a platform set in step with the list that its user waits for, by changing what differs.
#include "kept_wait_set.hpp"

#include <algorithm>
#include <limits>

namespace multiprocessing::runtime {
namespace {

constexpr std::size_t wakeup_key = std::numeric_limits<std::size_t>::max();

platform::RawHandle raw(const Waitable& waitable) noexcept {
  return (platform::RawHandle)waitable.native_handle().native();
}

}  // namespace

std::unique_ptr<KeptWaitSet> KeptWaitSet::create(std::span<const Waitable> list) {
  auto set = platform::WaitSet::create();
  if (!set) return nullptr;
  std::unique_ptr<KeptWaitSet> kept(new KeptWaitSet(*std::move(set)));
  if (!kept->replace_middle(list, 0, 0)) return nullptr;
  return kept;
}

bool KeptWaitSet::update(std::span<const Waitable> list) {
  const auto difference = std::mismatch(list_.begin(), list_.end(), list.begin(), list.end());
  if (difference.first == list_.end() && difference.second == list.end()) return true;
  if (uses_.size() > 4 * list.size()) return false;  // more memories than members: begin anew
  const auto begin = static_cast<std::size_t>(difference.first - list_.begin());
  std::size_t end = 0;  // counted from the back
  const std::size_t longest = std::min(list_.size(), list.size()) - begin;
  while (end < longest && list_[list_.size() - 1 - end] == list[list.size() - 1 - end]) ++end;
  return replace_middle(list, begin, end);
}

/// What stands before position `begin` and in the last `end` positions is the same in both lists.
bool KeptWaitSet::replace_middle(std::span<const Waitable> list, std::size_t begin, std::size_t end) {
  const std::size_t old_end = list_.size() - end;
  const auto middle = list.subspan(begin, list.size() - end - begin);
  for (std::size_t i = begin; i < old_end; ++i) --uses_[slots_[i]];

  std::vector<Slot> middle_slots;
  std::vector<std::size_t> fresh;  // positions in the middle
  middle_slots.reserve(middle.size());
  for (const Waitable& waitable : middle) {
    const auto [known, is_new] = index_.try_emplace(waitable, static_cast<Slot>(uses_.size()));
    if (is_new) {
      fresh.push_back(middle_slots.size());
      uses_.push_back(0);
    }
    ++uses_[known->second];
    middle_slots.push_back(known->second);
  }

  // What goes, goes first: a new one may have its number. One that was closed cannot be removed: then nobody
  // knows what the set still holds.
  for (std::size_t i = begin; i < old_end; ++i)
    if (uses_[slots_[i]] == 0 && index_.erase(list_[i]) != 0 && !set_.remove(slots_[i])) return false;
  for (const std::size_t i : fresh)
    if (!set_.add(raw(middle[i]), middle_slots[i])) return false;

  const auto at = [](auto& list_like, std::size_t i) {
    return list_like.begin() + static_cast<std::ptrdiff_t>(i);
  };
  slots_.erase(at(slots_, begin), at(slots_, old_end));
  slots_.insert(at(slots_, begin), middle_slots.begin(), middle_slots.end());
  list_.assign(list.begin(), list.end());
  return true;
}

std::optional<KeptWaitSet::Ready> KeptWaitSet::wait(platform::Deadline deadline,
                                                    const platform::Wakeup* wakeup) {
  if (wakeup != nullptr && !set_.add(wakeup->waitable(), wakeup_key)) return std::nullopt;
  const platform::Status status = set_.wait(keys_, deadline);
  if (wakeup != nullptr && !set_.remove(wakeup_key)) return std::nullopt;
  if (!status) return std::nullopt;
  return collect();
}

std::optional<KeptWaitSet::Ready> KeptWaitSet::collect() {
  Ready answer;
  std::size_t marked = 0;
  ready_.assign(uses_.size(), 0);
  for (const std::size_t key : keys_) {
    if (key == wakeup_key) {
      answer.woken = true;
      continue;
    }
    if (key >= uses_.size() || uses_[key] == 0) return std::nullopt;  // a closed one that lingers
    ready_[key] = 1;
    marked += uses_[key];
  }
  answer.positions.reserve(marked);
  for (std::size_t i = 0; answer.positions.size() < marked; ++i)
    if (ready_[slots_[i]] != 0) answer.positions.push_back(i);
  return answer;
}

}  // namespace multiprocessing::runtime
