// Any number of handles, in portions that the platform takes.
#include "wire/handles.hpp"

#include <algorithm>
#include <iterator>

#include "contract/handle_transfer.hpp"

namespace multiprocessing::runtime {

platform::Status send_all_handles(platform::Channel& channel, std::span<const platform::RawHandle> handles,
                                  platform::Deadline deadline) {
  while (!handles.empty()) {
    const auto some = handles.first(std::min(handles.size(), platform::handles_per_transfer));
    if (auto sent = platform::send_handles(channel, some, deadline); !sent) return sent;
    handles = handles.subspan(some.size());
  }
  return {};
}

platform::Status receive_all_handles(platform::Channel& channel, std::size_t count,
                                     std::vector<platform::Handle>& handles, platform::Deadline deadline) {
  while (handles.size() < count) {
    const auto wanted = std::min(count - handles.size(), platform::handles_per_transfer);
    auto some = platform::receive_handles(channel, wanted, deadline);
    if (!some) return some.error();
    std::ranges::move(*some, std::back_inserter(handles));
  }
  return {};
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
