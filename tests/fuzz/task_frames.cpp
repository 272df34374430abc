// What a worker sends to its pool: frames out of any bytes, and what the pool makes of their bodies, results
// of many tasks and reports of failures.
#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/detail/task_range.hpp>
#include <multiprocessing/errors.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pool/task_frame.hpp"
#include "target.hpp"

namespace {

using namespace multiprocessing;
using runtime::TaskFrame;
using runtime::TaskFrameKind;
using runtime::TaskFrameReader;

/// As a pool puts the results of a list together.
void read_list(std::uint32_t count, const std::vector<std::byte>& body) try {
  detail::Encoder list;
  list.number(std::uint64_t{count});
  list.write(body);
  const auto values = detail::decode_result<std::vector<std::string>>(list.bytes());
  fuzz::demand(values.size() == count);
} catch (const SerializationError&) {
}

/// As an iteration takes its results one after the other.
void read_one_by_one(std::uint32_t count, const std::vector<std::byte>& body) try {
  detail::Decoder decoder(body);
  for (std::uint32_t i = 0; i < count; ++i) static_cast<void>(detail::decode<std::string>(decoder));
} catch (const SerializationError&) {
}

void read_failure(std::vector<std::byte> report) {
  const detail::TaskFailure failure(std::move(report));
  fuzz::demand(failure.exception() != nullptr && failure.died() == nullptr);
  try {
    std::rethrow_exception(failure.exception());
  } catch (const std::exception& error) {
    fuzz::demand(error.what() != nullptr);
  }
}

void take_apart(const TaskFrame& frame, std::vector<std::byte> body) {
  if (frame.kind == TaskFrameKind::failed || frame.kind == TaskFrameKind::unusable)
    return read_failure(std::move(body));
  if (frame.kind != TaskFrameKind::results) return;
  read_list(frame.count, body);
  read_one_by_one(frame.count, body);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto channel = fuzz::stream_of(fuzz::Input(data, size).rest());
  TaskFrameReader reader;
  constexpr std::size_t most_ahead = 512 * 1024;  // whatever length is claimed
  std::size_t total = 0;
  for (;;) {
    const auto state = reader.advance(channel);
    fuzz::demand(reader.body().capacity() <= 2 * size + most_ahead);
    if (state == TaskFrameReader::State::waiting) continue;  // it has ended: then it says so
    if (state != TaskFrameReader::State::complete) break;
    fuzz::demand(reader.frame().size == reader.body().size());
    total += runtime::task_frame_size + reader.body().size();
    take_apart(reader.frame(), std::move(reader.body()));
  }
  fuzz::demand(total <= size);
  return 0;
}
