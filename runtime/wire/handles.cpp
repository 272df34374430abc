// Handles in portions, and their receipt.
#include "wire/handles.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "contract/handle_transfer.hpp"

namespace multiprocessing::runtime {

namespace {

using Raw = std::span<const platform::RawHandle>;
using Portion = std::array<platform::RawHandle, platform::handles_per_transfer>;

/// The handles with the receipt behind them, which is written down in `place`.
Raw with_receipt(Raw handles, platform::RawHandle receipt, Portion& place) {
  if (receipt == platform::no_handle) return handles;
  *std::ranges::copy(handles, place.begin()).out = receipt;
  return Raw(place).first(handles.size() + 1);
}

/// The receipt stands behind the last ones: who has that has all.
template <class Receive>
platform::Result<std::vector<platform::Handle>> signed_for(std::size_t left, Receive receive) {
  const std::size_t portion = next_portion(left);
  const bool receipt = portion == left && receipts_travel();
  auto some = receive(portion + (receipt ? 1 : 0));
  if (!some || !receipt) return some;
  sign_receipt(std::move(some->back()));
  some->pop_back();
  return some;
}

}  // namespace

platform::Result<OutgoingHandles> OutgoingHandles::prepare(Raw handles) {
  if (handles.empty() || !receipts_travel()) return OutgoingHandles(handles, {});
  auto kept = KeptHandles::keep(handles);
  if (!kept) return kept.error();
  return OutgoingHandles(handles, *std::move(kept));
}

template <class Send>
platform::Status OutgoingHandles::in_portions(Send send) {
  Portion place;
  for (Raw left = handles_; !left.empty();) {
    const auto some = left.first(next_portion(left.size()));
    left = left.subspan(some.size());
    const auto sent = send(left.empty() ? with_receipt(some, kept_.receipt(), place) : some);
    if (!sent) return sent;
  }
  kept_.sent();
  return {};
}

platform::Status OutgoingHandles::send(platform::Channel& channel, platform::Deadline deadline,
                                       const platform::Wakeup* wakeup) {
  return in_portions([&](Raw some) { return platform::send_handles(channel, some, deadline, wakeup); });
}

platform::Status OutgoingHandles::give(platform::Channel& channel, platform::RawHandle child,
                                       platform::Deadline deadline, const platform::Wakeup* wakeup) {
  return in_portions(
      [&](Raw some) { return platform::give_handles(channel, child, some, deadline, wakeup); });
}

std::size_t next_portion(std::size_t left) noexcept {
  return std::min(left, platform::handles_per_transfer - (receipts_travel() ? 1 : 0));
}

platform::Status receive_all_handles(platform::Channel& channel, std::size_t count,
                                     std::vector<platform::Handle>& handles, platform::Deadline deadline,
                                     const platform::Wakeup* wakeup) {
  handles.reserve(count);  // before any came: a lack of memory must lose none
  while (handles.size() < count) {
    auto some = signed_for(count - handles.size(), [&](std::size_t wanted) {
      return platform::receive_handles(channel, wanted, deadline, wakeup);
    });
    if (!some) return some.error();
    std::ranges::move(*some, std::back_inserter(handles));
  }
  return {};
}

platform::Result<std::vector<platform::Handle>> take_next_handles(platform::Channel& channel,
                                                                  std::size_t left,
                                                                  platform::Deadline deadline) {
  return signed_for(left,
                    [&](std::size_t wanted) { return platform::take_handles(channel, wanted, deadline); });
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
