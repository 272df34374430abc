// Any number of handles, in portions that the platform takes.
#include "wire/handles.hpp"

#include <algorithm>
#include <iterator>

#include "contract/handle_transfer.hpp"

namespace multiprocessing::runtime {

namespace {

using Raw = std::span<const platform::RawHandle>;

template <class Send>
platform::Status in_portions(Raw handles, Send send) {
  while (!handles.empty()) {
    const auto some = handles.first(std::min(handles.size(), platform::handles_per_transfer));
    if (auto sent = send(some); !sent) return sent;
    handles = handles.subspan(some.size());
  }
  return {};
}

template <class Receive>
platform::Status until_complete(std::size_t count, std::vector<platform::Handle>& handles, Receive receive) {
  handles.reserve(count);  // before any came: a lack of memory must lose none
  while (handles.size() < count) {
    auto some = receive(std::min(count - handles.size(), platform::handles_per_transfer));
    if (!some) return some.error();
    std::ranges::move(*some, std::back_inserter(handles));
  }
  return {};
}

}  // namespace

platform::Status send_all_handles(platform::Channel& channel, Raw handles, platform::Deadline deadline,
                                  const platform::Wakeup* wakeup) {
  return in_portions(handles,
                     [&](Raw some) { return platform::send_handles(channel, some, deadline, wakeup); });
}

platform::Status give_all_handles(platform::Channel& channel, platform::RawHandle child, Raw handles,
                                  platform::Deadline deadline, const platform::Wakeup* wakeup) {
  return in_portions(
      handles, [&](Raw some) { return platform::give_handles(channel, child, some, deadline, wakeup); });
}

platform::Status receive_all_handles(platform::Channel& channel, std::size_t count,
                                     std::vector<platform::Handle>& handles, platform::Deadline deadline,
                                     const platform::Wakeup* wakeup) {
  return until_complete(count, handles, [&](std::size_t wanted) {
    return platform::receive_handles(channel, wanted, deadline, wakeup);
  });
}

platform::Status take_all_handles(platform::Channel& channel, std::size_t count,
                                  std::vector<platform::Handle>& handles, platform::Deadline deadline) {
  return until_complete(
      count, handles, [&](std::size_t wanted) { return platform::take_handles(channel, wanted, deadline); });
}

ArrivedHandles::ArrivedHandles(std::vector<platform::Handle> handles) {
  raw_.reserve(handles.size());
  for (auto& handle : handles) raw_.push_back(handle.release());
}

ArrivedHandles::~ArrivedHandles() {
  for (const auto handle : raw_)
    if (handle != platform::no_handle) platform::close_handle(handle);
}

}  // namespace multiprocessing::runtime
