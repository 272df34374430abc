// Bytes that nobody wrote: every one is refused with an error, and none buys memory or time.
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/errors.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace multiprocessing::detail::archive_hostile_tests {
namespace {

/// Counts what its containers allocate; the bytes of a decoder must not make them ask for much.
std::size_t allocated = 0;
template <class T>
struct Counting {
  using value_type = T;
  Counting() = default;
  template <class U>
  Counting(const Counting<U>&) {}
  T* allocate(std::size_t count) {
    allocated += count * sizeof(T);
    if (count * sizeof(T) > (std::size_t{1} << 28)) throw std::bad_alloc();
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* memory, std::size_t count) { std::allocator<T>().deallocate(memory, count); }
  bool operator==(const Counting&) const = default;
};
template <class T>
using CountedVector = std::vector<T, Counting<T>>;

struct Tree {
  int value = 0;
  std::vector<Tree> children;
};
struct Nothing {};
struct Fat {
  CountedVector<int> list;
  std::array<std::int64_t, 64> ballast{};
};
class Silent {
 public:
  template <class Archive>
  void serialize(Archive&) {}
};

struct Everything {
  std::vector<std::string> strings;
  std::map<int, std::vector<double>> map;
  std::optional<std::unique_ptr<int>> nested;
  std::variant<int, std::string, std::set<int>> choice;
  std::tuple<bool, std::bitset<9>, std::chrono::seconds> tuple;
  std::forward_list<std::string> forward;
  std::deque<bool> flags;
  std::vector<Tree> trees;
};

Everything example() {
  Everything all;
  all.strings = {"one", "", "three"};
  all.map = {{1, {1.5}}, {2, {}}};
  all.nested = std::make_unique<int>(5);
  all.choice = std::set<int>{1, 2};
  all.tuple = {true, std::bitset<9>(257), std::chrono::seconds(3)};
  all.forward = {"f", "g"};
  all.flags = {true, false};
  all.trees = {{1, {{2, {}}}}};
  return all;
}

template <class T>
bool refused(std::span<const std::byte> bytes) {
  Decoder decoder(bytes);
  try {
    (void)decode<T>(decoder);
    decoder.expect_end();
    return false;
  } catch (const SerializationError&) {
    return true;
  }
}

template <class... Numbers>
Encoder bytes(Numbers... numbers) {
  Encoder encoder;
  (encoder.number(numbers), ...);
  return encoder;
}

}  // namespace

TEST_SUITE("unit.archive_hostile") {
  TEST_CASE("bytes that end early are refused, wherever they end") {
    Encoder encoder;
    encode(encoder, example());
    CHECK(!refused<Everything>(encoder.bytes()));
    for (std::size_t size = 0; size < encoder.size(); ++size) {
      CAPTURE(size);
      REQUIRE(refused<Everything>(encoder.bytes().first(size)));
    }
  }

  TEST_CASE("bytes in any disorder give a value or an error") {
    Encoder encoder;
    encode(encoder, example());
    std::mt19937 random(1);
    std::uniform_int_distribution<std::size_t> place(0, encoder.size() - 1);
    std::uniform_int_distribution<int> content(0, 255);
    std::size_t errors = 0;
    for (int round = 0; round < 20'000; ++round) {
      std::vector<std::byte> scribbled(encoder.bytes().begin(), encoder.bytes().end());
      for (int i = 0; i <= round % 4; ++i) scribbled[place(random)] = static_cast<std::byte>(content(random));
      if (refused<Everything>(scribbled)) ++errors;
    }
    CHECK(errors > 1000);
    CHECK(errors < 20'000);
  }

  TEST_CASE("a huge length allocates nothing") {
    allocated = 0;
    for (const std::uint64_t length : {std::uint64_t{100}, std::uint64_t{1} << 32, std::uint64_t{1} << 61,
                                       std::numeric_limits<std::uint64_t>::max()}) {
      CAPTURE(length);
      CHECK(refused<CountedVector<int>>(bytes(length, 1, 2).bytes()));
      CHECK(refused<CountedVector<std::string>>(bytes(length, 1, 2).bytes()));
      CHECK(refused<CountedVector<std::array<CountedVector<int>, 4>>>(bytes(length, 1, 2).bytes()));
      CHECK(refused<std::string>(bytes(length, 'x').bytes()));
      CHECK(refused<std::map<int, int>>(bytes(length, 1, 2).bytes()));
    }
    CHECK(allocated == 0);
  }

  TEST_CASE("elements that are larger here than in the bytes are not reserved at once") {
    allocated = 0;
    Encoder encoder;
    encoder.length(1000);
    for (int i = 0; i < 1000; ++i) encode(encoder, Fat());
    CHECK(!refused<CountedVector<Fat>>(encoder.bytes()));
    const std::size_t whole = allocated;
    allocated = 0;
    CHECK(refused<CountedVector<Fat>>(encoder.bytes().first(16 * (8 + 64 * 8))));
    CHECK(allocated < whole / 8);
  }

  TEST_CASE("elements without content are counted") {
    CHECK(!refused<std::vector<Nothing>>(bytes(std::uint64_t{1000}).bytes()));
    CHECK(refused<std::vector<Nothing>>(bytes(std::uint64_t{1} << 40).bytes()));
    CHECK(refused<std::vector<Silent>>(bytes(std::uint64_t{1} << 40).bytes()));
    CHECK(refused<std::vector<std::array<Nothing, 3>>>(bytes(std::uint64_t{1} << 62).bytes()));
    CHECK(refused<std::set<std::tuple<>>>(bytes(std::uint64_t{1} << 40).bytes()));
  }

  TEST_CASE("deep nesting is refused before the stack ends") {
    Encoder encoder;
    for (int i = 0; i < 1'000'000; ++i) {
      encoder.number(i);
      encoder.length(1);
    }
    CHECK(refused<Tree>(encoder.bytes()));
    const std::vector<std::byte> ones(1'000'000, std::byte{1});
    struct Chain {
      std::unique_ptr<Chain> next;
    };
    CHECK(refused<Chain>(ones));
  }

  TEST_CASE("what has no meaning is refused") {
    CHECK(refused<bool>(bytes(std::uint8_t{2}).bytes()));
    CHECK(refused<std::optional<int>>(bytes(std::uint8_t{2}, 1).bytes()));
    CHECK(refused<std::variant<int, bool>>(bytes(std::uint16_t{2}, 1).bytes()));
    CHECK(refused<int>(bytes(1, 2).bytes()));
  }
}

}  // namespace multiprocessing::detail::archive_hostile_tests
