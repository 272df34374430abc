// How values become bytes and bytes become values: cereal archives over Encoder and Decoder, and one function
// for each Kind. A user's serialize() meets these archives as it would meet cereal's own; whatever he hands
// to them goes through the same rules as an argument does.
#pragma once

#include <multiprocessing/detail/archive.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/kind.hpp>
#include <multiprocessing/detail/sendable.hpp>

#include <cereal/cereal.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::detail {

struct inside_serialize {};

/// The fewest bytes that a value of T takes: what a claimed length is held against before anything is
/// allocated.
template <class T>
constexpr std::size_t smallest_size();

template <class... Types>
constexpr std::size_t smallest_sum(TypeList<Types...>) {
  return (smallest_size<Types>() + ... + 0);
}

template <class T>
constexpr std::size_t smallest_size() {
  constexpr Kind kind = kind_of<T>;
  if constexpr (kind == Kind::number) {
    return number_size<Carrier<T>>;
  } else if constexpr (kind == Kind::text || kind == Kind::sequence || kind == Kind::set ||
                       kind == Kind::map || kind == Kind::path) {
    return sizeof(std::uint64_t);
  } else if constexpr (kind == Kind::optional || kind == Kind::unique) {
    return 1;
  } else if constexpr (kind == Kind::variant) {
    return sizeof(std::uint16_t);
  } else if constexpr (kind == Kind::array) {
    return std::tuple_size_v<T> * smallest_size<typename T::value_type>();
  } else if constexpr (kind == Kind::complex) {
    return 2 * smallest_size<typename T::value_type>();
  } else if constexpr (kind == Kind::bitset) {
    return (T().size() + 7) / 8;
  } else if constexpr (kind == Kind::own || kind == Kind::shareable) {
    return 0;  // Only its author knows.
  } else {
    return smallest_sum(Parts<T>());
  }
}

/// Elements that lie behind one another and need no conversion are copied in one piece.
template <class T>
concept CopiedInOnePiece = requires(T& range) {
  range.data();
  requires travels_as_it_lies<Carrier<typename T::value_type>>;
};

/// std::forward_list does not know.
template <class T>
std::size_t count_elements(const T& range) {
  if constexpr (requires { range.size(); }) {
    return range.size();
  } else {
    std::size_t count = 0;
    for (auto element = range.begin(); element != range.end(); ++element) ++count;
    return count;
  }
}

/// Bits travel eight to a byte, the first in the lowest place; the last byte may have fewer.
constexpr std::size_t end_of_byte(std::size_t first, std::size_t size) {
  return size - first < 8 ? size : first + 8;
}

/// Writes. `ar(a, b)`, `ar & a` and `ar << a` as with cereal's archives.
class OutputArchive : public ::cereal::OutputArchive<OutputArchive, ::cereal::AllowEmptyClassElision> {
  using Base = ::cereal::OutputArchive<OutputArchive, ::cereal::AllowEmptyClassElision>;

 public:
  // Defined in the library: what cereal's base keeps would be compiled by every user.
  MULTIPROCESSING_EXPORT explicit OutputArchive(Encoder& encoder);
  MULTIPROCESSING_EXPORT ~OutputArchive();
  OutputArchive(const OutputArchive&) = delete;
  OutputArchive& operator=(const OutputArchive&) = delete;

  template <class... Types>
  OutputArchive& operator()(Types&&... values) {
    (take(values), ...);
    return *this;
  }
  template <class T>
  OutputArchive& operator&(T&& value) {
    return (*this)(value);
  }
  template <class T>
  OutputArchive& operator<<(T&& value) {
    return (*this)(value);
  }
  [[nodiscard]] Encoder& encoder() noexcept { return encoder_; }

  /// A value whose type is known to be sendable.
  template <class T>
  void write(const T& value);

 private:
  template <class T>
  void take(const T& value) {
    require_sendable<inside_serialize, T>();
    if constexpr (sendable<T>) write(value);
  }
  template <class T, std::size_t n>
  void take(const T (&values)[n]) {
    for (const T& value : values) take(value);
  }
  template <class T>
  void take(const ::cereal::NameValuePair<T>& pair) {
    take(pair.value);
  }
  template <class T>
  void take(const ::cereal::SizeTag<T>& tag) {
    encoder_.length(static_cast<std::size_t>(tag.size));
  }
  template <class T>
  void take(const ::cereal::BinaryData<T>& data) {
    encoder_.write(data.data, static_cast<std::size_t>(data.size));
  }
  template <class T>
  void take(const ::cereal::base_class<T>& base) {
    write_own(*base.base_ptr);
  }
  template <class T>
  void take(const ::cereal::virtual_base_class<T>& base) {
    Base::operator()(base);
  }

  template <class T>
  void write_number(T value) {
    encoder_.number(static_cast<Carrier<T>>(value));
  }
  template <class T>
  void write_range(const T& range);
  template <class T>
  void write_variant(const T& value);
  template <class T>
  void write_bits(const T& bits);
  template <class T>
  void write_own(const T& value);

  Encoder& encoder_;
};

/// Reads what OutputArchive wrote. `ar(a, b)`, `ar & a` and `ar >> a` as with cereal's archives.
class InputArchive : public ::cereal::InputArchive<InputArchive, ::cereal::AllowEmptyClassElision> {
  using Base = ::cereal::InputArchive<InputArchive, ::cereal::AllowEmptyClassElision>;

 public:
  MULTIPROCESSING_EXPORT explicit InputArchive(Decoder& decoder);
  MULTIPROCESSING_EXPORT ~InputArchive();
  InputArchive(const InputArchive&) = delete;
  InputArchive& operator=(const InputArchive&) = delete;

  template <class... Types>
  InputArchive& operator()(Types&&... values) {
    (take(values), ...);
    return *this;
  }
  template <class T>
  InputArchive& operator&(T&& value) {
    return (*this)(value);
  }
  template <class T>
  InputArchive& operator>>(T&& value) {
    return (*this)(value);
  }
  [[nodiscard]] Decoder& decoder() noexcept { return decoder_; }

  template <class T>
  void read(T& value);
  template <class T>
  [[nodiscard]] T read_value() {
    if constexpr (is_shareable<T>) {
      return access::decode<T>(decoder_);
    } else {
      T value = make_value<T>();
      read(value);
      return value;
    }
  }

 private:
  template <class T>
  void take(T& value) {
    require_sendable<inside_serialize, T>();
    if constexpr (sendable<T>) read(value);
  }
  template <class T, std::size_t n>
  void take(T (&values)[n]) {
    for (T& value : values) take(value);
  }
  template <class T>
  void take(::cereal::NameValuePair<T>& pair) {
    take(pair.value);
  }
  /// What the tag counts is not known here; a byte each is the least.
  template <class T>
  void take(::cereal::SizeTag<T>& tag) {
    tag.size = static_cast<std::remove_cvref_t<T>>(decoder_.length(1));
  }
  template <class T>
  void take(::cereal::BinaryData<T>& data) {
    decoder_.read(data.data, static_cast<std::size_t>(data.size));
  }
  template <class T>
  void take(::cereal::base_class<T>& base) {
    read_own(*base.base_ptr);
  }
  template <class T>
  void take(::cereal::virtual_base_class<T>& base) {
    Base::operator()(base);
  }

  template <class T>
  void read_number(T& value) {
    value = static_cast<T>(decoder_.number<Carrier<T>>());
  }
  template <class T>
  void read_range(T& range);
  template <class T>
  void read_elements(T& range, std::size_t count);
  template <class T>
  void read_element(T& range);
  template <class T>
  void read_optional(T& value);
  template <class T, std::size_t... i>
  void read_variant(T& value, std::index_sequence<i...>);
  template <class T>
  void read_bits(T& bits);
  template <class T>
  void read_own(T& value);

  Decoder& decoder_;
};

// --- what cereal itself writes: class versions, and the values behind save_minimal ---

template <class T>
concept Minimal = std::is_arithmetic_v<T> || is_text<T>;

template <Minimal T>
void save(OutputArchive& archive, const T& value) {
  archive(value);
}
template <Minimal T>
void load(InputArchive& archive, T& value) {
  archive(value);
}
template <class T>
void save(OutputArchive& archive, const ::cereal::NameValuePair<T>& pair) {
  archive(pair);
}
template <class T>
void load(InputArchive& archive, ::cereal::NameValuePair<T>& pair) {
  archive(pair);
}

// --- writing ---

template <class T>
void OutputArchive::write(const T& value) {
  constexpr Kind kind = kind_of<T>;
  if constexpr (kind == Kind::number) {
    write_number(value);
  } else if constexpr (kind == Kind::text || kind == Kind::sequence || kind == Kind::set ||
                       kind == Kind::map) {
    write_range(value);
  } else if constexpr (kind == Kind::array) {
    for (const auto& element : value) write(element);
  } else if constexpr (kind == Kind::product) {
    std::apply([this](const auto&... elements) { (this->write(elements), ...); }, value);
  } else if constexpr (kind == Kind::optional || kind == Kind::unique) {
    const Nested level(encoder_);
    encoder_.number(static_cast<bool>(value));
    if (value) write(*value);
  } else if constexpr (kind == Kind::variant) {
    write_variant(value);
  } else if constexpr (kind == Kind::duration) {
    write(value.count());
  } else if constexpr (kind == Kind::time_point) {
    write(value.time_since_epoch());
  } else if constexpr (kind == Kind::complex) {
    write(value.real());
    write(value.imag());
  } else if constexpr (kind == Kind::bitset) {
    write_bits(value);
  } else if constexpr (kind == Kind::path) {
    write(value.u8string());
  } else if constexpr (kind == Kind::shareable) {
    access::encode(encoder_, value);
  } else if constexpr (kind == Kind::own) {
    write_own(value);
  } else if constexpr (kind == Kind::aggregate) {
    for_each_field(value, [this](const auto& field) { this->write(field); });
  }
}

template <class T>
void OutputArchive::write_range(const T& range) {
  using Element = typename T::value_type;
  if constexpr (CopiedInOnePiece<T>) {
    encoder_.length(range.size());
    encoder_.write(range.data(), range.size() * sizeof(Element));
  } else {
    const Nested level(encoder_);
    encoder_.length(count_elements(range));
    for (auto&& element : range) {
      const std::size_t before = encoder_.size();
      if constexpr (std::is_same_v<Element, bool>)
        encoder_.number(static_cast<bool>(element));
      else if constexpr (kind_of<T> == Kind::map)
        write(element.first), write(element.second);
      else
        write(element);
      if (encoder_.size() == before) encoder_.count_weightless();
    }
  }
}

template <class T>
void OutputArchive::write_variant(const T& value) {
  const Nested level(encoder_);
  if (value.valueless_by_exception()) encoder_.fail("a std::variant holds no value");
  encoder_.number(static_cast<std::uint16_t>(value.index()));
  visit([this](const auto& alternative) { this->write(alternative); }, value);
}

template <class T>
void OutputArchive::write_bits(const T& bits) {
  for (std::size_t first = 0; first < bits.size(); first += 8) {
    unsigned byte = 0;
    for (std::size_t i = first; i < end_of_byte(first, bits.size()); ++i)
      byte |= unsigned{bits.test(i)} << (i - first);
    encoder_.number(static_cast<std::uint8_t>(byte));
  }
}

template <class T>
void OutputArchive::write_own(const T& value) {
  const Nested level(encoder_);
  if constexpr (SerializedByCereal<T>) {
    Base::operator()(value);
  } else if constexpr (SerializeMember<T>) {
    // cereal's convention: one serialize() for both ways, which changes nothing when it writes.
    access::serialize(*this, const_cast<T&>(value));
  } else if constexpr (SaveLoadMembers<T>) {
    access::save(*this, value);
  } else {
    (*this)(access::save_minimal(*this, value));
  }
}

// --- reading ---

template <class T>
void InputArchive::read(T& value) {
  constexpr Kind kind = kind_of<T>;
  if constexpr (kind == Kind::number) {
    read_number(value);
  } else if constexpr (kind == Kind::text || kind == Kind::sequence || kind == Kind::set ||
                       kind == Kind::map) {
    read_range(value);
  } else if constexpr (kind == Kind::array) {
    for (auto& element : value) read(element);
  } else if constexpr (kind == Kind::product) {
    std::apply([this](auto&... elements) { (this->read(elements), ...); }, value);
  } else if constexpr (kind == Kind::optional || kind == Kind::unique) {
    read_optional(value);
  } else if constexpr (kind == Kind::variant) {
    read_variant(value, std::make_index_sequence<TemplateArguments<T>::size>());
  } else if constexpr (kind == Kind::duration) {
    value = T(read_value<typename T::rep>());
  } else if constexpr (kind == Kind::time_point) {
    value = T(read_value<typename T::duration>());
  } else if constexpr (kind == Kind::complex) {
    auto real = read_value<typename T::value_type>();
    auto imaginary = read_value<typename T::value_type>();
    value = T(std::move(real), std::move(imaginary));
  } else if constexpr (kind == Kind::bitset) {
    read_bits(value);
  } else if constexpr (kind == Kind::path) {
    value = T(read_value<std::remove_cvref_t<decltype(value.u8string())>>());
  } else if constexpr (kind == Kind::shareable) {
    value = access::decode<T>(decoder_);
  } else if constexpr (kind == Kind::own) {
    read_own(value);
  } else if constexpr (kind == Kind::aggregate) {
    for_each_field(value, [this](auto& field) { this->read(field); });
  }
}

template <class T>
void InputArchive::read_range(T& range) {
  using Element = typename T::value_type;
  if constexpr (CopiedInOnePiece<T>) {
    range.resize(decoder_.length(sizeof(Element)));
    decoder_.read(range.data(), range.size() * sizeof(Element));
  } else {
    const Nested level(decoder_);
    const std::size_t count = decoder_.length(smallest_size<Element>());
    range.clear();
    // What is reserved is bounded by what has arrived, also where an element is larger here than there.
    [[maybe_unused]] const std::size_t plenty = decoder_.remaining() / sizeof(Element) + 1;
    if constexpr (requires { range.reserve(count); }) range.reserve(count < plenty ? count : plenty);
    read_elements(range, count);
  }
}

template <class T>
void InputArchive::read_elements(T& range, std::size_t count) {
  using Element = typename T::value_type;
  [[maybe_unused]] auto last = range.end();
  if constexpr (requires { range.before_begin(); }) last = range.before_begin();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t before = decoder_.position();
    if constexpr (requires { range.before_begin(); })
      last = range.insert_after(last, read_value<Element>());
    else
      read_element(range);
    if (decoder_.position() == before) decoder_.count_weightless();
  }
}

template <class T>
void InputArchive::read_element(T& range) {
  using Element = typename T::value_type;
  if constexpr (kind_of<T> == Kind::map) {
    auto key = read_value<typename T::key_type>();
    auto mapped = read_value<typename T::mapped_type>();
    range.emplace_hint(range.end(), std::move(key), std::move(mapped));
  } else if constexpr (kind_of<T> == Kind::set) {
    range.emplace_hint(range.end(), read_value<Element>());
  } else if constexpr (std::is_same_v<Element, bool> || !std::is_default_constructible_v<Element>) {
    range.push_back(read_value<Element>());
  } else {
    range.emplace_back();
    read(range.back());
  }
}

template <class T>
void InputArchive::read_optional(T& value) {
  const Nested level(decoder_);
  value.reset();
  if (!decoder_.number<bool>()) return;
  if constexpr (is_unique<T>)
    value = make_unique_value<typename T::element_type>();
  else
    value.emplace(make_value<typename T::value_type>());
  read(*value);
}

template <class T, std::size_t... i>
void InputArchive::read_variant(T& value, std::index_sequence<i...>) {
  const Nested level(decoder_);
  const auto index = decoder_.number<std::uint16_t>();
  if (index >= sizeof...(i)) decoder_.fail("a std::variant of a kind that it has not");
  const auto read_alternative = [&]<std::size_t n, class Alternative>(std::integral_constant<std::size_t, n>,
                                                                      Type<Alternative>) {
    if (n == index) value.template emplace<n>(read_value<Alternative>());
  };
  [&]<class... Alternatives>(TypeList<Alternatives...>) {
    (read_alternative(std::integral_constant<std::size_t, i>(), Type<Alternatives>()), ...);
  }(TemplateArguments<T>());
}

template <class T>
void InputArchive::read_bits(T& bits) {
  for (std::size_t first = 0; first < bits.size(); first += 8) {
    const auto byte = decoder_.number<std::uint8_t>();
    for (std::size_t i = first; i < end_of_byte(first, bits.size()); ++i)
      bits.set(i, (byte >> (i - first) & 1U) != 0);
  }
}

template <class T>
void InputArchive::read_own(T& value) {
  const Nested level(decoder_);
  if constexpr (SerializedByCereal<T>) {
    Base::operator()(value);
  } else if constexpr (SerializeMember<T>) {
    access::serialize(*this, value);
  } else if constexpr (SaveLoadMembers<T>) {
    access::load(*this, value);
  } else {
    using Value =
        decltype(access::save_minimal(std::declval<const OutputArchive&>(), std::declval<const T&>()));
    access::load_minimal(*this, value, read_value<Value>());
  }
}

// --- what the rest of the library calls ---

/// Appends the value. Throws SerializationError that names the type and, if it is not 0, the argument; what
/// a user's own function throws is nested in it.
template <class T>
void encode(Encoder& encoder, const T& value, std::size_t argument_index = 0) {
  if constexpr (kind_of<T> == Kind::number) {
    encoder.number(static_cast<Carrier<T>>(value));  // without an archive, which costs more than all of this
  } else {
    encoder.set_subject({type_name<T>(), argument_index});
    try {
      OutputArchive(encoder).write(value);
    } catch (...) {
      encoder.rethrow_as_ours();
    }
  }
}

/// Reads into an object that exists.
template <class T>
void decode_into(Decoder& decoder, T& value, std::size_t argument_index = 0) {
  decoder.set_subject({type_name<T>(), argument_index});
  try {
    InputArchive(decoder).read(value);
  } catch (...) {
    decoder.rethrow_as_ours();
  }
}

template <class T>
[[nodiscard]] T decode(Decoder& decoder, std::size_t argument_index = 0) {
  decoder.set_subject({type_name<T>(), argument_index});
  if constexpr (kind_of<T> == Kind::number) {
    return static_cast<T>(decoder.number<Carrier<T>>());
  } else {
    try {
      return InputArchive(decoder).read_value<T>();
    } catch (...) {
      decoder.rethrow_as_ours();
    }
  }
}

}  // namespace multiprocessing::detail

CEREAL_SETUP_ARCHIVE_TRAITS(::multiprocessing::detail::InputArchive, ::multiprocessing::detail::OutputArchive)
