// What a child says of its end, and what its parent tells it at the beginning, out of any bytes. The first
// byte says which of them it is taken for.
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/errors.hpp>

#include <exception>
#include <new>
#include <string>

#include "contract/crash.hpp"
#include "launch/settings.hpp"
#include "target.hpp"
#include "wire/exception_report.hpp"

namespace {

using namespace multiprocessing;

void raise_again(std::span<const std::byte> bytes) {
  const auto report = runtime::read_report(bytes);
  const auto exception = runtime::rebuild_exception(report, "trace");
  fuzz::demand(exception != nullptr);
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    fuzz::demand(error.what() != nullptr);
  }
  // On to the next process it is what it was.
  const auto again = runtime::describe_exception(exception);
  fuzz::demand(again.type_name == report.type_name);
  fuzz::demand(runtime::rebuild_exception(again, "") != nullptr);
}

void describe_crash(std::span<const std::byte> bytes) {
  const auto record = platform::read_crash_record(bytes);
  if (!record) return;
  static_cast<void>(platform::crash_frames(*record));
  static_cast<void>(platform::describe_crash(*record));
}

void read_settings(std::span<const std::byte> bytes) {
  detail::Decoder decoder(bytes);
  static_cast<void>(detail::decode<runtime::ChildSettings>(decoder));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned which = input.number() % 3;
  try {
    (which == 0 ? raise_again : which == 1 ? describe_crash : read_settings)(input.rest());
  } catch (const SerializationError&) {
  } catch (const std::bad_alloc&) {
  }
  return 0;
}
