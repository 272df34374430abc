// Values of a type that holds every kind of thing, out of any bytes. What can be read can be written, and is
// read again as the same.
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/errors.hpp>

#include <array>
#include <bitset>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "target.hpp"

namespace {

using namespace multiprocessing;

enum class Color : std::uint8_t { red, green };

struct Tree {
  int value = 0;
  std::vector<Tree> children;
};
struct Rich {
  bool flag = false;
  Color color = Color::red;
  std::string text;
  std::vector<std::string> texts;
  std::vector<bool> bits;
  std::map<std::string, std::vector<double>> table;
  std::unordered_map<int, std::string> names;
  std::set<std::uint16_t> numbers;
  std::deque<std::pair<char, std::int64_t>> pairs;
  std::optional<std::tuple<float, std::string>> perhaps;
  std::variant<int, std::string, std::vector<int>> either;
  std::array<std::uint8_t, 5> five{};
  std::bitset<12> twelve;
  std::unique_ptr<std::string> owned;
  std::chrono::nanoseconds time{};
  std::vector<std::byte> bytes;
  Tree tree;
};

std::vector<std::byte> written(const Rich& value) {
  detail::Encoder encoder;
  detail::encode(encoder, value);
  return {encoder.bytes().begin(), encoder.bytes().end()};
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::Input(data, size).rest();
  try {
    detail::Decoder decoder(bytes);
    auto value = detail::decode<Rich>(decoder);
    decoder.expect_end();
    const auto bytes_again = written(value);
    detail::Decoder again(bytes_again);
    auto same = detail::decode<Rich>(again);
    again.expect_end();
    fuzz::demand(same.names == value.names);
    same.names.clear();  // their order is nobody's
    value.names.clear();
    fuzz::demand(written(same) == written(value));
  } catch (const SerializationError&) {
  } catch (const std::bad_alloc&) {
  }
  return 0;
}
