// The handles of a start that is under way: from their opening to the moment when the child, or the object
// that stands for it, has them.
#include <mutex>
#include <utility>

#include "contract/handle.hpp"
#include "launch/process_state.hpp"
#include "launch/registry_mutex.hpp"
#include "launch/stream_state.hpp"
#include "support/errors.hpp"

namespace multiprocessing::detail {

using runtime::registry_mutex;

InFlight::InFlight() {
  const std::scoped_lock lock(registry_mutex());
  Registry::instance().add(this);
}

InFlight::~InFlight() {
  const std::scoped_lock lock(registry_mutex());
  Registry::instance().remove(this);
  for (auto* channel : {&parent_end_, &child_end_, &handover_, &far_handover_}) channel->close();
  for (auto& stream : parent_streams_) stream.reset();
  for (auto& stream : child_streams_) stream.reset();
}

void InFlight::open_channel() {
  const std::scoped_lock lock(registry_mutex());
  auto ends = runtime::value_or_throw(platform::channel_pair(), "the control channel");
  parent_end_ = std::move(ends.first);
  child_end_ = std::move(ends.second);
}

void InFlight::open_handover() {
  const std::scoped_lock lock(registry_mutex());
  auto ends = runtime::value_or_throw(platform::channel_pair(), "a child of the fork server");
  handover_ = std::move(ends.first);
  far_handover_ = std::move(ends.second);
}

void InFlight::close_far_handover() noexcept {
  const std::scoped_lock lock(registry_mutex());
  far_handover_.close();
}

platform::StreamBinding InFlight::open_stream(std::size_t index) {
  const bool to_child = index == 0;
  const auto direction = to_child ? platform::Direction::child_reads : platform::Direction::child_writes;
  const std::scoped_lock lock(registry_mutex());
  auto pipe = runtime::value_or_throw(platform::stream_pipe(direction), "a standard stream of a child");
  parent_streams_[index] = std::make_unique<StreamState>(std::move(pipe.parent), to_child);
  child_streams_[index] = std::move(pipe.child);
  return {platform::StreamBinding::Source::handle, child_streams_[index].get()};
}

void InFlight::close_child_ends() noexcept {
  const std::scoped_lock lock(registry_mutex());
  child_end_.close();
  close_child_streams();
}

void InFlight::close_child_streams() noexcept {
  for (auto& stream : child_streams_) stream.reset();
}

platform::Channel InFlight::become_child() noexcept {
  parent_end_.close();
  for (auto& stream : parent_streams_) stream.reset();
  return std::move(child_end_);
}

/// The objects belong to another thread of the parent: their numbers are closed, and they are left alone.
void InFlight::close_copies() const noexcept {
  const auto close = [](platform::RawHandle handle) {
    if (handle != platform::no_handle) platform::close_handle(handle);
  };
  for (const auto* channel : {&parent_end_, &child_end_, &handover_, &far_handover_})
    if (*channel) close(channel->get());
  for (const auto& stream : parent_streams_)
    if (stream != nullptr) close(stream->channel.get());
  for (const auto& stream : child_streams_) close(stream.get());
}

}  // namespace multiprocessing::detail
