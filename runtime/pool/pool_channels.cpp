// Who has which end of a pool's channels open, across forks.
#include "pool_channels.hpp"

#include <mutex>
#include <set>

#include "launch/process_state.hpp"
#include "launch/registry_mutex.hpp"
#include "support/errors.hpp"

namespace multiprocessing::runtime {
namespace {

/// Guarded by the registry's mutex; never destroyed.
std::set<platform::Channel*>& open_channels() {
  static auto& all = *new std::set<platform::Channel*>;
  return all;
}

thread_local const platform::Channel* kept_by_child = nullptr;

/// In a child that the library forked, with the registry's mutex held.
void let_go_in_child() noexcept {
  for (auto* const channel : open_channels())
    if (channel != kept_by_child) channel->close();
}

std::shared_ptr<platform::Channel> guarded(platform::Channel channel) {
  auto owned = std::make_unique<platform::Channel>(std::move(channel));
  open_channels().insert(owned.get());
  return {owned.release(), [](platform::Channel* closing) {
            const std::scoped_lock lock(registry_mutex());
            open_channels().erase(closing);
            delete closing;
          }};
}

}  // namespace

std::pair<std::shared_ptr<platform::Channel>, std::shared_ptr<platform::Channel>> open_pool_channel() {
  static const bool registered = (detail::Registry::instance().at_fork_in_child(&let_go_in_child), true);
  static_cast<void>(registered);
  std::shared_ptr<platform::Channel> ours, theirs;  // released after the mutex, whatever happens
  const std::scoped_lock lock(registry_mutex());
  auto ends = value_or_throw(platform::channel_pair(), "a pool's channel");
  ours = guarded(std::move(ends.first));
  theirs = guarded(std::move(ends.second));
  return {std::move(ours), std::move(theirs)};
}

KeptByChild::KeptByChild(const platform::Channel& channel) noexcept { kept_by_child = &channel; }
KeptByChild::~KeptByChild() { kept_by_child = nullptr; }

}  // namespace multiprocessing::runtime
