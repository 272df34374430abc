// What this process keeps of handles that it has sent, and the watch on each receipt. All is opened and
// closed under one mutex, so that a fork sees neither what is not listed yet nor the number of what is
// closed. It is not held while the loop is called: that rests during a fork, which waits for this mutex then.
#include "support/kept_handles.hpp"

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/channel.hpp"
#include "support/reactor.hpp"

namespace multiprocessing::runtime {

/// What one message brought on its way. Guarded by the mutex of all.
struct KeptHandles::Kept {
  platform::Channel counterfoil;  ///< ready when the receipt is signed, or nobody has it any more
  platform::Handle receipt;       ///< until it was sent
  std::vector<platform::Handle> duplicates;
  platform::EventLoop* loop = nullptr;
  std::optional<platform::EventLoop::Id> watch;

  platform::Status open(std::span<const platform::RawHandle> handles) {
    auto pipe = platform::stream_pipe(platform::Direction::child_writes);
    if (!pipe) return pipe.error();
    counterfoil = std::move(pipe->parent);
    receipt = std::move(pipe->child);
    duplicates.reserve(handles.size());
    for (const auto handle : handles) {
      const auto duplicate = platform::duplicate_handle(handle);
      if (!duplicate) return duplicate.error();
      duplicates.emplace_back(*duplicate);
    }
    return {};
  }

  void close() noexcept {
    counterfoil.close();
    receipt.reset();
    duplicates.clear();
  }
};

/// Never destroyed: what is kept at the program's end is closed with it.
struct KeptHandles::All {
  std::mutex mutex;
  std::set<std::shared_ptr<Kept>> kept;
};

KeptHandles::All& KeptHandles::all() {
  static All& instance = *new All;
  return instance;
}

/// In any thread, and more than once: a receipt may be signed before its sender knows that it was sent.
void KeptHandles::let_go(const std::shared_ptr<Kept>& kept) noexcept {
  std::unique_lock lock(all().mutex);
  const auto watch = std::exchange(kept->watch, std::nullopt);
  lock.unlock();
  if (watch) kept->loop->cancel(*watch);  // which needs the counterfoil open
  lock.lock();
  kept->close();
  all().kept.erase(kept);
}

platform::Result<KeptHandles> KeptHandles::keep(std::span<const platform::RawHandle> handles) {
  auto loop = find_reactor();
  if (!loop) return loop.error();
  KeptHandles keeping;
  keeping.kept_ = std::make_shared<Kept>();
  auto& kept = *keeping.kept_;
  kept.loop = *loop;
  std::unique_lock lock(all().mutex);
  all().kept.insert(keeping.kept_);
  const auto opened = kept.open(handles);
  lock.unlock();
  if (!opened) return opened.error();
  // Before they are sent: then nothing may fail any more. Nobody else has the receipt yet.
  const auto watch = kept.loop->watch(kept.counterfoil.readable(), [ours = keeping.kept_] {
    let_go(ours);
    return false;
  });
  if (!watch) return watch.error();
  lock.lock();
  kept.watch = *watch;
  lock.unlock();
  return keeping;
}

KeptHandles::~KeptHandles() {
  if (kept_) let_go(kept_);
}

platform::RawHandle KeptHandles::receipt() const noexcept {
  if (!kept_) return platform::no_handle;
  const std::scoped_lock lock(all().mutex);
  return kept_->receipt.get();
}

void KeptHandles::sent() noexcept {
  if (!kept_) return;
  {
    const std::scoped_lock lock(all().mutex);
    kept_->receipt.reset();
  }
  kept_.reset();
}

bool receipts_travel() noexcept {
  const auto& can = platform::capabilities();
  return can.handle_transfer && !can.transfer_keeps_handles;
}

/// A byte, not the mere end of file: a child that another thread forked just now may have a copy.
void sign_receipt(platform::Handle receipt) noexcept {
  constexpr std::array signature = {std::byte{1}};
  auto channel = platform::Channel::adopt_stream(std::move(receipt), {.reading = false, .writing = true});
  // A sender that is gone keeps nothing.
  if (channel) static_cast<void>(channel->write_all(signature, platform::Deadline::now()));
}

void lock_kept_handles() noexcept { KeptHandles::all().mutex.lock(); }
void unlock_kept_handles() noexcept { KeptHandles::all().mutex.unlock(); }

void abandon_kept_handles() noexcept {
  auto& all = KeptHandles::all();
  for (const auto& kept : all.kept) kept->close();
  all.kept.clear();
  all.mutex.unlock();
}

}  // namespace multiprocessing::runtime
