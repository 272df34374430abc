// Types that say themselves how they travel, in every way that cereal knows, public, private and free.
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/errors.hpp>

#include <doctest/doctest.h>

#include <cereal/types/base_class.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace own_types {

struct Public {
  int a = 0;
  std::string b;
  std::map<std::string, std::vector<int>> c;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::make_nvp("a", a), b);
    archive& c;
  }
};

class PrivateForUs {
 public:
  static PrivateForUs with(int value) {
    PrivateForUs made;
    made.value_ = value;
    return made;
  }
  [[nodiscard]] int value() const { return value_; }

 private:
  friend class multiprocessing::access;
  PrivateForUs() = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value_);
  }
  int value_ = 0;
};

class PrivateForCereal {
 public:
  static PrivateForCereal with(int value) {
    PrivateForCereal made;
    made.value_ = value;
    return made;
  }
  [[nodiscard]] int value() const { return value_; }

 private:
  friend class cereal::access;
  PrivateForCereal() = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value_);
  }
  int value_ = 0;
};

class SaveLoad {
 public:
  SaveLoad() = default;
  explicit SaveLoad(std::vector<int> values) : values_(std::move(values)) {}
  [[nodiscard]] const std::vector<int>& values() const { return values_; }

 private:
  friend class multiprocessing::access;
  template <class Archive>
  void save(Archive& archive) const {
    archive(cereal::make_size_tag(static_cast<cereal::size_type>(values_.size())));
    for (const int value : values_) archive(value);
  }
  template <class Archive>
  void load(Archive& archive) {
    cereal::size_type size = 0;
    archive(cereal::make_size_tag(size));
    values_.resize(static_cast<std::size_t>(size));
    for (int& value : values_) archive(value);
  }
  std::vector<int> values_;
};

struct PublicMinimal {
  std::string text;
  template <class Archive>
  std::string save_minimal(const Archive&) const {
    return text;
  }
  template <class Archive>
  void load_minimal(const Archive&, const std::string& value) {
    text = value;
  }
};

class PrivateMinimal {
 public:
  PrivateMinimal() = default;
  explicit PrivateMinimal(int value) : value_(value) {}
  [[nodiscard]] int value() const { return value_; }

 private:
  friend class multiprocessing::access;
  template <class Archive>
  std::int64_t save_minimal(const Archive&) const {
    return value_;
  }
  template <class Archive>
  void load_minimal(const Archive&, const std::int64_t& value) {
    value_ = static_cast<int>(value);
  }
  int value_ = 0;
};

struct Free {
  explicit Free(int a = 0) : value(a) {}
  int value;
};
template <class Archive>
void serialize(Archive& archive, Free& free) {
  archive(free.value);
}

struct Versioned {
  int value = 0;
  std::uint32_t seen = 0;
  template <class Archive>
  void serialize(Archive& archive, const std::uint32_t version) {
    archive(value);
    seen = version;
  }
};

struct Derived : Public {
  double d = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Public>(this), d);
  }
};

struct WithArrays {
  int raw[3] = {};
  double bytes[2] = {};
  template <class Archive>
  void serialize(Archive& archive) {
    archive(raw, cereal::binary_data(bytes, sizeof(bytes)));
  }
};

union Word {
  std::uint32_t whole;
  std::uint8_t parts[4];
  template <class Archive>
  void serialize(Archive& archive) {
    archive(whole);
  }
};

struct Outer {
  Public inner;
  std::vector<PrivateForUs> list;
  std::unique_ptr<PrivateForCereal> pointer;
};

struct Refuses {
  template <class Archive>
  void save(Archive&) const {
    throw std::runtime_error("not today");
  }
  template <class Archive>
  void load(Archive&) {
    throw 7;
  }
};

}  // namespace own_types

CEREAL_CLASS_VERSION(own_types::Versioned, 3)

namespace multiprocessing::detail::archive_own_tests {
namespace {

using namespace own_types;

template <class T>
T through_bytes(const T& value) {
  static_assert(sendable<T>);
  Encoder encoder;
  encode(encoder, value);
  Decoder decoder(encoder.bytes());
  T result = decode<T>(decoder);
  decoder.expect_end();
  return result;
}

}  // namespace

TEST_SUITE("unit.archive_own") {
  TEST_CASE("a public serialize() comes before the fields") {
    CHECK(kind_of<Public> == Kind::own);
    const Public back = through_bytes(Public{1, "b", {{"c", {1, 2}}}});
    CHECK(back.a == 1);
    CHECK(back.b == "b");
    CHECK(back.c.at("c") == std::vector<int>{1, 2});
  }

  TEST_CASE("private functions and constructors are reached by a friend, ours or cereal's") {
    CHECK(through_bytes(PrivateForUs::with(5)).value() == 5);
    CHECK(through_bytes(PrivateForCereal::with(6)).value() == 6);
    CHECK(through_bytes(SaveLoad({1, 2, 3})).values() == std::vector<int>{1, 2, 3});
    CHECK(through_bytes(PrivateMinimal(7)).value() == 7);
  }

  TEST_CASE("minimal forms, free functions, versions and base classes work as with cereal") {
    CHECK(through_bytes(PublicMinimal{"m"}).text == "m");
    CHECK(through_bytes(Free(8)).value == 8);
    const Versioned versioned = through_bytes(Versioned{9, 0});
    CHECK(versioned.value == 9);
    CHECK(versioned.seen == 3);
    Derived derived;
    derived.a = 1;
    derived.d = 2.5;
    const Derived back = through_bytes(derived);
    CHECK(back.a == 1);
    CHECK(back.d == 2.5);
  }

  TEST_CASE("inside serialize() C arrays and raw bytes are the author's business") {
    const WithArrays back = through_bytes(WithArrays{{1, 2, 3}, {0.5, -0.5}});
    CHECK(back.raw[2] == 3);
    CHECK(back.bytes[1] == -0.5);
    CHECK(through_bytes(Word{0x01020304}).whole == 0x01020304);
  }

  TEST_CASE("they may lie inside other types") {
    Outer outer;
    outer.inner.a = 4;
    outer.list.push_back(PrivateForUs::with(5));
    const Outer back = through_bytes(outer);
    CHECK(back.inner.a == 4);
    CHECK(back.list.at(0).value() == 5);
    CHECK(back.pointer == nullptr);
    std::vector<std::unique_ptr<PrivateForUs>> pointers;
    pointers.push_back(std::make_unique<PrivateForUs>(PrivateForUs::with(6)));
    CHECK(through_bytes(pointers).at(0)->value() == 6);
  }

  TEST_CASE("what they throw arrives nested in an error that names type and argument") {
    Encoder encoder;
    try {
      encode(encoder, Refuses(), 2);
      FAIL("nothing was thrown");
    } catch (const SerializationError& error) {
      CHECK(std::string(error.what()) == "cannot write argument 2, own_types::Refuses: not today");
      CHECK_THROWS_AS(std::rethrow_if_nested(error), std::runtime_error);
    }
    Decoder decoder({});
    CHECK_THROWS_AS((void)decode<Refuses>(decoder), SerializationError);
  }
}

}  // namespace multiprocessing::detail::archive_own_tests
