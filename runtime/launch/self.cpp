// The state of this process, and the thread that watches a child's parent.
#include "launch/self.hpp"

#include <mutex>
#include <utility>

#include "contract/crypto.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"

namespace multiprocessing::runtime {

// ---- ParentLink

ParentLink::ParentLink(platform::Channel channel, platform::ProcessIdentity parent)
    : channel_(std::move(channel)), parent_(parent) {
  // Without a sentinel (an old kernel, a container's rules) the end of the channel alone must do.
  auto sentinel = platform::open_sentinel(parent, true);
  if (sentinel)
    parent_sentinel_ = std::move(*sentinel);
  else
    parent_is_gone_ = sentinel.error().condition == platform::Condition::gone;
}

ParentLink::ParentLink(platform::Channel channel, platform::ProcessIdentity parent,
                       platform::Handle sentinel) noexcept
    : channel_(std::move(channel)), parent_(parent), parent_sentinel_(std::move(sentinel)) {}

// Takes no memory: a process that has none left ends with its parent all the same.
bool ParentLink::wait_for_more() noexcept {
  if (parent_is_gone_) return false;
  const auto channel = channel_.readable();
  if (!parent_sentinel_) return platform::wait_one(channel, platform::Deadline::never()).has_value();
  const auto ready = platform::wait_either(channel, parent_sentinel_.get(), platform::Deadline::never());
  // What the parent sent before it died is still to be read.
  return ready && *ready == 0;
}

bool ParentLink::wait_until_readable() noexcept {
  while (!platform::wait_one(channel_.readable(), platform::Deadline::now()))
    if (!wait_for_more()) return false;
  return true;
}

std::optional<Frame> ParentLink::next_frame() {
  for (;;) switch (reader_.advance(channel_)) {
      case FrameReader::State::complete:
        return reader_.take();
      case FrameReader::State::waiting:
        if (!wait_for_more()) return std::nullopt;
        break;
      case FrameReader::State::ended:
      case FrameReader::State::corrupt:
        return std::nullopt;
    }
}

std::optional<Frame> ParentLink::arrived_frame() {
  if (reader_.advance(channel_) != FrameReader::State::complete) return std::nullopt;
  return reader_.take();
}

platform::RawHandle ParentLink::gone_event() {
  const std::scoped_lock lock(gone_mutex_);
  if (!gone_event_) {
    gone_event_.emplace(value_or_throw(platform::Wakeup::create(), "the end of the parent"));
    if (gone_) gone_event_->notify();
  }
  return gone_event_->waitable();
}

void ParentLink::note_gone() noexcept {
  const std::scoped_lock lock(gone_mutex_);
  gone_ = true;
  if (gone_event_) gone_event_->notify();
}

void ParentLink::abandon() noexcept {
  channel_.close();
  parent_sentinel_.reset();
  gone_event_.reset();  // without the mutex, which a thread that is not here may hold
}

// ---- Self

struct Self::State {
  mutable std::mutex mutex;
  std::string name = "MainProcess";
  std::vector<std::uint32_t> lineage;
  std::uint32_t children = 0;
  bool daemon = false;
  std::vector<std::byte> authkey;
  std::string parent_name;
};

Self::Self() : state_(std::make_unique<State>()) {
  ask_for_log_process_name([] { return self().name(); });
}

Self& self() {
  static Self& instance = *new Self;
  return instance;
}

std::uint32_t Self::next_child_number() {
  const std::scoped_lock lock(state_->mutex);
  return ++state_->children;
}

std::vector<std::uint32_t> Self::lineage() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->lineage;
}

std::string Self::name() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->name;
}

void Self::set_name(std::string name) {
  const std::scoped_lock lock(state_->mutex);
  state_->name = std::move(name);
}

bool Self::daemon() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->daemon;
}

void Self::set_daemon(bool daemon) {
  const std::scoped_lock lock(state_->mutex);
  state_->daemon = daemon;
}

std::vector<std::byte> Self::authkey() const {
  const std::scoped_lock lock(state_->mutex);
  if (state_->authkey.empty()) {
    std::vector<std::byte> key(32);
    if (const auto drawn = platform::random_bytes(key); !drawn) throw_os_error(drawn.error(), "authkey");
    state_->authkey = std::move(key);
  }
  return state_->authkey;
}

void Self::set_authkey(std::vector<std::byte> key) {
  const std::scoped_lock lock(state_->mutex);
  state_->authkey = std::move(key);
}

std::optional<std::string> Self::parent_name() const {
  if (!is_child()) return std::nullopt;
  const std::scoped_lock lock(state_->mutex);
  return state_->parent_name;
}

void Self::become(const ChildSettings& settings, std::shared_ptr<ParentLink> link, bool forked) {
  // In a forked child the old state's mutex may be held by a thread that is not here. In another child a
  // thread of a static object may just be asking for the name.
  if (forked) {
    auto fresh = std::make_unique<State>();
    abandoned_.push_back(std::move(state_));
    state_ = std::move(fresh);
  }
  {
    const std::scoped_lock lock(state_->mutex);
    state_->name = settings.name;
    state_->lineage = settings.lineage;
    state_->children = 0;
    state_->daemon = settings.daemon;
    state_->authkey = settings.authkey;
    state_->parent_name = settings.parent_name;
  }
  if (link_) link_->abandon();
  link_ = std::move(link);
  stop_ = StopSource();
  forked_ = forked;
  pid_ = platform::current_pid();
  following_ = false;
  own_threads_ = 0;
}

bool Self::is_copy() const noexcept { return pid_ != platform::current_pid(); }

bool Self::begin_following() noexcept { return !is_copy() && !following_.exchange(true); }

std::string default_name(const char* class_name, const std::vector<std::uint32_t>& lineage) {
  std::string name = class_name;
  char separator = '-';
  for (const auto number : lineage) {
    name += separator + std::to_string(number);
    separator = ':';
  }
  return name;
}

// ---- the watch on the parent

namespace {

/// The application's callbacks may block; the watch on the parent must not.
void request_stop_aside() {
  const auto request = [] { self().stop_source().request_stop(); };
  if (!platform::run_in_background(request)) request();
}

void follow_parent(ParentLink& link, bool keep_running) {
  while (const auto frame = link.next_frame())
    if (frame->kind == FrameKind::stop && !self().stop_source().stop_requested()) request_stop_aside();
  if (!keep_running) platform::end_now(1);
  link.note_gone();
  self().stop_source().request_stop();
}

/// Once in a process; what failed is tried again.
void follow() {
  const auto link = self().link();
  if (link == nullptr || !self().begin_following()) return;
  try {
    // What has come already is there when this returns.
    while (const auto frame = link->arrived_frame())
      if (frame->kind == FrameKind::stop) self().stop_source().request_stop();
    const bool keep_running = self().keeps_running();
    value_or_throw(platform::run_in_background([link, keep_running] { follow_parent(*link, keep_running); }),
                   "the thread that watches the parent");
    self().add_own_thread();
  } catch (...) {
    self().stop_following();
    throw;
  }
}

}  // namespace

void watch_parent(ParentLink& link, bool keep_running) {
  self().keep_running(keep_running);
  if (keep_running) return;
  if (link.parent_is_gone()) platform::end_now(1);
  if (platform::end_with_peer(link.channel(), link.parent_sentinel().get(), 1))
    self().add_own_thread();
  else
    follow();
}

platform::RawHandle end_of_parent() {
  auto& link = *self().link();
  if (link.parent_sentinel()) return link.parent_sentinel().get();
  // It is dead already, or the system has no sentinels of strangers: then the end of the control channel has
  // to do. That is ready for each request, too, unless somebody reads them.
  if (self().is_copy()) return link.channel().readable();
  follow();
  return link.gone_event();
}

StopToken followed_stop_token() {
  follow();
  return self().stop_source().token();
}

}  // namespace multiprocessing::runtime
