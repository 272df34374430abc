// Takes apart what the owner of a fork server has written for one child.
#include "forkserver/errand.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "contract/handle_transfer.hpp"

namespace multiprocessing::runtime {
namespace {

using Source = platform::StreamBinding::Source;

bool is_sound(const Errand& errand) {
  return errand.magic == Errand::expected_magic &&
         std::ranges::all_of(errand.streams, [](Source source) { return source <= Source::handle; });
}

}  // namespace

platform::Result<OrderedStreams> read_errand(platform::Channel& handover) {
  using platform::Deadline;
  Errand errand;
  if (auto read = handover.read_all(std::as_writable_bytes(std::span(&errand, 1)), Deadline::now()); !read)
    return read.error();
  if (!is_sound(errand)) return platform::Error{platform::Condition::corrupt};
  OrderedStreams streams;
  for (std::size_t i = 0; i < streams.bindings.size(); ++i) streams.bindings[i].source = errand.streams[i];
  const auto count = std::ranges::count(errand.streams, Source::handle);
  if (count == 0) return streams;
  auto handles = platform::receive_handles(handover, static_cast<std::size_t>(count), Deadline::now());
  if (!handles) return handles.error();
  streams.handles = *std::move(handles);
  auto next = streams.handles.begin();
  for (auto& binding : streams.bindings)
    if (binding.source == Source::handle) binding.handle = (next++)->get();
  return streams;
}

}  // namespace multiprocessing::runtime
