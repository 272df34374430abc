// Who has which end of a pool's channels open, and its wakeups, across forks.
#include "pool_channels.hpp"

#include <mutex>
#include <set>

#include "launch/process_state.hpp"
#include "launch/registry_mutex.hpp"
#include "support/errors.hpp"

namespace multiprocessing::runtime {
namespace {

/// What is open. Guarded by the registry's mutex; never destroyed.
template <class Object>
std::set<Object*>& open_objects() {
  static auto& all = *new std::set<Object*>;
  return all;
}

thread_local const platform::Channel* kept_by_child = nullptr;

/// In a child that the library forked, with the registry's mutex held.
void let_go_in_child() noexcept {
  for (auto* const channel : open_objects<platform::Channel>())
    if (channel != kept_by_child) channel->close();
  for (auto* const wakeup : open_objects<platform::Wakeup>()) *wakeup = platform::Wakeup();
}

template <class Object>
std::shared_ptr<Object> guarded(Object object) {
  auto owned = std::make_unique<Object>(std::move(object));
  open_objects<Object>().insert(owned.get());
  return {owned.release(), [](Object* closing) {
            const std::scoped_lock lock(registry_mutex());
            open_objects<Object>().erase(closing);
            delete closing;
          }};
}

void see_to_forks() {
  static const bool registered = (detail::Registry::instance().at_fork_in_child(&let_go_in_child), true);
  static_cast<void>(registered);
}

}  // namespace

std::pair<std::shared_ptr<platform::Channel>, std::shared_ptr<platform::Channel>> open_pool_channel() {
  see_to_forks();
  std::shared_ptr<platform::Channel> ours, theirs;  // released after the mutex, whatever happens
  const std::scoped_lock lock(registry_mutex());
  auto ends = value_or_throw(platform::channel_pair(), "a pool's channel");
  ours = guarded(std::move(ends.first));
  theirs = guarded(std::move(ends.second));
  return {std::move(ours), std::move(theirs)};
}

std::shared_ptr<platform::Wakeup> open_pool_wakeup() {
  see_to_forks();
  std::shared_ptr<platform::Wakeup> opened;
  const std::scoped_lock lock(registry_mutex());
  opened = guarded(value_or_throw(platform::Wakeup::create(), "a pool"));
  return opened;
}

KeptByChild::KeptByChild(const platform::Channel& channel) noexcept { kept_by_child = &channel; }
KeptByChild::~KeptByChild() { kept_by_child = nullptr; }

}  // namespace multiprocessing::runtime
