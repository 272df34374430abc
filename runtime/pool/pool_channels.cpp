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

/// Is made before the mutex is taken and released after it, since its end takes it.
template <class Object>
class Guarded {
 public:
  Guarded() = default;
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    const std::scoped_lock lock(registry_mutex());
    open_objects<Object>().erase(&object_);
    object_ = Object();
  }

  /// With the registry's mutex held. Throws std::bad_alloc.
  void keep(Object object) {
    object_ = std::move(object);
    open_objects<Object>().insert(&object_);
  }
  [[nodiscard]] static std::shared_ptr<Object> object_of(const std::shared_ptr<Guarded>& guarded) noexcept {
    return {guarded, &guarded->object_};
  }

 private:
  Object object_;
};

void see_to_forks() {
  static const bool registered = (detail::Registry::instance().at_fork_in_child(&let_go_in_child), true);
  static_cast<void>(registered);
}

}  // namespace

std::pair<std::shared_ptr<platform::Channel>, std::shared_ptr<platform::Channel>> open_pool_channel() {
  see_to_forks();
  using Kept = Guarded<platform::Channel>;
  const auto ours = std::make_shared<Kept>(), theirs = std::make_shared<Kept>();
  const std::scoped_lock lock(registry_mutex());
  auto ends = value_or_throw(platform::channel_pair(), "a pool's channel");
  ours->keep(std::move(ends.first));
  theirs->keep(std::move(ends.second));
  return {Kept::object_of(ours), Kept::object_of(theirs)};
}

std::shared_ptr<platform::Wakeup> open_pool_wakeup() {
  see_to_forks();
  using Kept = Guarded<platform::Wakeup>;
  const auto opened = std::make_shared<Kept>();
  const std::scoped_lock lock(registry_mutex());
  opened->keep(value_or_throw(platform::Wakeup::create(), "a pool"));
  return Kept::object_of(opened);
}

KeptByChild::KeptByChild(const platform::Channel& channel) noexcept { kept_by_child = &channel; }
KeptByChild::~KeptByChild() { kept_by_child = nullptr; }

}  // namespace multiprocessing::runtime
