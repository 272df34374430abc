// Naming code in one process so that another finds it, and turning addresses into names.
#include "contract/image.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/system.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"

namespace multiprocessing::platform::image_tests {

// Not in the unnamed namespace, and with something to do: so that it has a name and stays a function.
int well_known_function(int value);
int well_known_function(int value) { return value * 3 + 1; }
using Function = int (*)(int);
volatile Function keep_it = &well_known_function;

namespace {

using namespace test_support;

constexpr std::array<char, 16> constant_data = {'f', 'i', 'n', 'd', ' ', 'm', 'e'};

const void* address_of(Function function) { return reinterpret_cast<const void*>(function); }

// Tells where the function and the data lie in this process.
const ChildFunction tell_locations("image_locations", [](ChildContext& context) {
  for (const void* address : {address_of(keep_it), static_cast<const void*>(&constant_data)}) {
    const CodeLocation here = must(locate(address));
    send_text(context.channel, here.image.name);
    send_text(context.channel,
              std::string(reinterpret_cast<const char*>(here.image.id.data()), here.image.id.size()));
    send_number(context.channel, static_cast<std::int64_t>(here.offset));
  }
  return 0;
});

CodeLocation receive_location(Channel& channel) {
  CodeLocation location;
  location.image.name = receive_text(channel);
  const std::string id = receive_text(channel);
  const auto bytes = test_support::bytes_of(id);
  location.image.id.assign(bytes.begin(), bytes.end());
  location.offset = static_cast<std::uint64_t>(receive_number(channel));
  location.main_executable = true;
  return location;
}

}  // namespace

TEST_SUITE("contract.image") {
  TEST_CASE_FIXTURE(LeakCheck, "functions and constants of the executable are located and found again") {
    for (const void* address : {address_of(keep_it), static_cast<const void*>(&constant_data)}) {
      const CodeLocation location = must(locate(address));
      CHECK(location.main_executable);
      CHECK_FALSE(location.image.name.empty());
      CHECK(location.path.ends_with(location.image.name));
      REQUIRE(location.image.id.size() > 1);
      CHECK(must(resolve(location)) == address);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a location of another process of the same build means the same thing here") {
    Child child = start(tell_locations);
    CHECK(must(resolve(receive_location(child.channel))) == address_of(keep_it));
    CHECK(must(resolve(receive_location(child.channel))) == static_cast<const void*>(&constant_data));
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "the heap and the stack lie in no image") {
    const auto on_heap = std::make_unique<int>(1);
    const int on_stack = 2;
    CHECK(outcome(locate(on_heap.get())) == Condition::not_found);
    CHECK(outcome(locate(&on_stack)) == Condition::not_found);
    CHECK(outcome(locate(nullptr)) == Condition::not_found);
  }

  TEST_CASE_FIXTURE(LeakCheck, "the executable is found under any name") {
    CodeLocation location = must(locate(address_of(keep_it)));
    location.image.name = "renamed";
    CHECK(must(resolve(location)) == address_of(keep_it));
  }

  TEST_CASE_FIXTURE(LeakCheck, "another build of the executable is recognised") {
    CodeLocation location = must(locate(address_of(keep_it)));
    location.image.id.back() ^= std::byte{1};
    CHECK(outcome(resolve(location)) == Condition::corrupt);
    location.image.id.clear();
    CHECK(outcome(resolve(location)) == Condition::corrupt);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a library that is not loaded is not found") {
    CodeLocation location = must(locate(address_of(keep_it)));
    location.main_executable = false;
    location.image.name = "no_such_library.so";
    CHECK(outcome(resolve(location)) == Condition::not_found);
  }

  TEST_CASE_FIXTURE(LeakCheck, "an offset outside of the image is refused") {
    CodeLocation location = must(locate(address_of(keep_it)));
    const std::uint64_t good = location.offset;
    for (const std::uint64_t offset :
         {good + (std::uint64_t{1} << 40), std::numeric_limits<std::uint64_t>::max()}) {
      location.offset = offset;
      CHECK(outcome(resolve(location)) == Condition::invalid_argument);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "loading a library that is not there says so") {
    CHECK(outcome(load_image("/no/such/library.so")) == Condition::not_found);
  }

  TEST_CASE_FIXTURE(LeakCheck, "ranges are readable inside one segment only") {
    CHECK(readable_range(&constant_data, sizeof(constant_data)));
    CHECK(readable_range(&constant_data, 0));
    CHECK_FALSE(readable_range(nullptr, 1));
    CHECK_FALSE(readable_range(&constant_data, std::numeric_limits<std::size_t>::max()));
    CHECK_FALSE(readable_range(&constant_data, std::size_t{1} << 40));
    const auto on_heap = std::make_unique<int>(1);
    CHECK_FALSE(readable_range(on_heap.get(), sizeof(int)));
  }

  TEST_CASE_FIXTURE(LeakCheck, "functions are executable, data is not") {
    CHECK(executable_address(address_of(keep_it)));
    const auto on_heap = std::make_unique<int>(1);
    CHECK_FALSE(executable_address(on_heap.get()));
    CHECK_FALSE(executable_address(nullptr));
  }

  TEST_CASE_FIXTURE(LeakCheck, "equal keys have equal hashes, others others") {
    const CodeLocation location = must(locate(address_of(keep_it)));
    ImageKey key = location.image;
    CHECK(image_hash(key) == image_hash(location.image));
    CHECK(image_hash(key) != 0);
    key.name += "x";
    CHECK(image_hash(key) != image_hash(location.image));
    key = location.image;
    key.id.back() ^= std::byte{1};
    CHECK(image_hash(key) != image_hash(location.image));
  }

  TEST_CASE_FIXTURE(LeakCheck, "frames keep their order and unknown addresses stay addresses") {
    const auto on_heap = std::make_unique<int>(1);
    const std::array<const void*, 2> addresses = {on_heap.get(), address_of(keep_it)};
    const auto frames = locate_frames(addresses);
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].image == 0);
    CHECK(frames[0].offset == reinterpret_cast<std::uintptr_t>(on_heap.get()));
    const CodeLocation location = must(locate(address_of(keep_it)));
    CHECK(frames[1].image == image_hash(location.image));
    CHECK(frames[1].offset == location.offset);
    CHECK(frames[1].path == location.path);
  }

  TEST_CASE("a function's name is found") {
    if (!capabilities().symbol_names) return skip("addresses cannot be turned into names here");
    const std::array<const void*, 1> addresses = {address_of(keep_it)};
    const auto symbols = find_symbols(locate_frames(addresses));
    REQUIRE(symbols.size() == 1);
    CHECK(symbols[0].function == "multiprocessing::platform::image_tests::well_known_function(int)");
    CHECK(symbols[0].displacement == 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "frames that nobody knows have no names") {
    const std::vector<FrameLocation> frames = {
        {0, {}, 0x1234}, {42, "/no/such/file", 16}, {42, must(locate(address_of(keep_it))).path, 16}};
    for (const Symbol& symbol : find_symbols(frames)) {
      CHECK(symbol.function.empty());
      CHECK(symbol.file.empty());
      CHECK(symbol.line == 0);
    }
    CHECK(find_symbols({}).empty());
  }
}

}  // namespace multiprocessing::platform::image_tests
