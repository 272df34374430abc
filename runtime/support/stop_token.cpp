// Stop requests: who asked, who wants to know, and both bridges to the standard's own.
#include <multiprocessing/stop_token.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace multiprocessing {
namespace detail {

/// One request that was made or may still be.
class StopState {
 public:
  [[nodiscard]] bool requested() const noexcept { return requested_.load(std::memory_order_acquire); }
  bool request();
  /// Never 0; 0 if the request was made already: then the function has been called.
  std::size_t add(std::function<void()> function);
  void remove(std::size_t id);

#if defined(__cpp_lib_jthread)
  static std::shared_ptr<StopState> following(std::stop_token token);
  std::stop_token standard_token();
#endif

 private:
  std::mutex mutex_;
  std::condition_variable finished_;
  std::atomic<bool> requested_ = false;
  std::map<std::size_t, std::function<void()>> callbacks_;
  std::size_t last_id_ = 0;
  std::size_t running_ = 0;         ///< the id whose function runs now
  std::thread::id running_thread_;  ///< where

#if defined(__cpp_lib_jthread)
  std::optional<std::stop_source> source_;  ///< what follows us
  std::stop_token followed_;                ///< what we follow
  /// Last, so that it is destroyed first, which waits for a request that is being made.
  std::optional<std::stop_callback<std::function<void()>>> bridge_;
#endif
};

bool StopState::request() {
  std::unique_lock lock(mutex_);
  if (requested_.exchange(true, std::memory_order_acq_rel)) return false;
  running_thread_ = std::this_thread::get_id();
  while (!callbacks_.empty()) {
    // Taken out of the map: the function may remove itself, and must live until it has returned.
    auto node = callbacks_.extract(callbacks_.begin());
    running_ = node.key();
    lock.unlock();
    node.mapped()();
    node.mapped() = nullptr;
    lock.lock();
    running_ = 0;
    finished_.notify_all();
  }
  return true;
}

std::size_t StopState::add(std::function<void()> function) {
  {
    const std::lock_guard lock(mutex_);
    if (!requested()) {
      callbacks_.emplace(++last_id_, std::move(function));
      return last_id_;
    }
  }
  function();
  return 0;
}

void StopState::remove(std::size_t id) {
  std::unique_lock lock(mutex_);
  if (const auto node = callbacks_.extract(id)) {
    lock.unlock();  // what the function holds may go with it, and come back to us
    return;
  }
  if (running_ != id || running_thread_ == std::this_thread::get_id()) return;
  finished_.wait(lock, [&] { return running_ != id; });
}

#if defined(__cpp_lib_jthread)
std::shared_ptr<StopState> StopState::following(std::stop_token token) {
  auto state = std::make_shared<StopState>();
  state->followed_ = token;
  // Weak: the state owns the bridge. Locked for the call, so that a function that drops the last token
  // does not take the state away under its own feet.
  state->bridge_.emplace(std::move(token), [weak = std::weak_ptr(state)] {
    if (const auto self = weak.lock()) self->request();
  });
  return state;
}

std::stop_token StopState::standard_token() {
  // The one that we follow outlives this state, so it is the better answer.
  if (followed_.stop_possible()) return followed_;
  std::unique_lock lock(mutex_);
  if (!source_) {
    source_.emplace();
    if (requested())
      source_->request_stop();
    else
      callbacks_.emplace(++last_id_, [source = *source_]() mutable { source.request_stop(); });
  }
  return source_->get_token();
}
#endif

}  // namespace detail

bool StopToken::stop_requested() const noexcept { return state_ != nullptr && state_->requested(); }

#if defined(__cpp_lib_jthread)
StopToken::StopToken(std::stop_token token) {
  if (token.stop_possible()) state_ = detail::StopState::following(std::move(token));
}

StopToken::operator std::stop_token() const {
  return state_ == nullptr ? std::stop_token() : state_->standard_token();
}
#endif

StopSource::StopSource() : state_(std::make_shared<detail::StopState>()) {}

bool StopSource::request_stop() {
  const auto state = state_;  // a callback may destroy this source
  return state != nullptr && state->request();
}

bool StopSource::stop_requested() const noexcept { return state_ != nullptr && state_->requested(); }

StopCallback::StopCallback(StopToken token, std::function<void()> function)
    : state_(std::move(token.state_)) {
  if (state_ != nullptr) id_ = state_->add(std::move(function));
}

StopCallback::~StopCallback() {
  if (id_ != 0) state_->remove(id_);
}

}  // namespace multiprocessing
