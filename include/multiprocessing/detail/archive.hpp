// The byte core of everything that travels: Encoder collects bytes, Decoder hands them out again and trusts
// none of them. Numbers are little-endian and of fixed width. What the bytes of a type are stands in
// serialize.hpp; framing and handles are not their business.
#pragma once

#include <multiprocessing/detail/export.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::detail {

/// Values may nest this deep in one another (elements of containers, targets of unique_ptr).
inline constexpr unsigned max_depth = 200;
/// Elements that take no bytes are counted instead, per encoder or decoder: a length that nothing backs must
/// not buy time or memory.
inline constexpr std::size_t max_weightless = std::size_t{1} << 20;

template <class T>
concept Number = std::is_arithmetic_v<T>;

/// `long double` has three widths; its bytes are those that carry the value, never padding.
template <Number T>
inline constexpr std::size_t number_size = std::same_as<T, long double>
                                               ? (std::numeric_limits<long double>::digits == 64 ? 10
                                                                                                 : sizeof(T))
                                               : sizeof(T);

/// Arrays of T lie in memory as they travel.
template <class T>
inline constexpr bool travels_as_it_lies =
    Number<T> && !std::same_as<T, bool> && !std::same_as<T, long double> &&
    (std::endian::native == std::endian::little || sizeof(T) == 1);

template <Number T>
void to_little_endian(const T& value, std::byte* bytes) noexcept {
  std::memcpy(bytes, &value, number_size<T>);
  if constexpr (std::endian::native == std::endian::big)
    for (std::size_t i = 0; i < number_size<T> / 2; ++i) std::swap(bytes[i], bytes[number_size<T> - 1 - i]);
}

template <Number T>
T from_little_endian(std::byte* bytes) noexcept {
  if constexpr (std::endian::native == std::endian::big)
    for (std::size_t i = 0; i < number_size<T> / 2; ++i) std::swap(bytes[i], bytes[number_size<T> - 1 - i]);
  T value{};
  std::memcpy(&value, bytes, number_size<T>);
  return value;
}

/// What is being written or read, for the text of an error: a type, and which argument it is (from 1; 0 if it
/// is none). The text must outlive the coder; type names do.
struct Subject {
  std::string_view type = {};
  std::size_t argument = 0;
};

/// What Encoder and Decoder have in common: the subject, and the limits that both must keep, so that a value
/// that could not be read is refused where it is written.
class MULTIPROCESSING_EXPORT Coder {
 public:
  void set_subject(Subject subject) noexcept { subject_ = subject; }
  [[nodiscard]] const Subject& subject() const noexcept { return subject_; }

  /// Counts an element that took no bytes. Throws SerializationError past max_weightless.
  void count_weightless() {
    if (++weightless_ > max_weightless) fail("too many elements without content");
  }
  /// One level deeper, until leave(). Throws SerializationError past max_depth.
  void enter() {
    if (depth_ == max_depth) fail("values are nested too deeply");
    ++depth_;
  }
  void leave() noexcept { --depth_; }

  /// Throws SerializationError: what was to be done, the subject, and the problem.
  [[noreturn]] void fail(std::string_view problem) const;
  /// To be called in a catch block: lets exceptions of this library and bad_alloc pass, throws any other
  /// nested in a SerializationError that names the subject.
  [[noreturn]] void rethrow_as_ours() const;

 protected:
  explicit Coder(const char* verb) noexcept : verb_(verb) {}
  Coder(const Coder&) = default;
  Coder(Coder&&) = default;
  Coder& operator=(const Coder&) = default;
  Coder& operator=(Coder&&) = default;
  ~Coder() = default;

 private:
  const char* verb_;
  Subject subject_;
  std::size_t weightless_ = 0;
  unsigned depth_ = 0;
};

/// Holds one level of nesting.
class Nested {
 public:
  explicit Nested(Coder& coder) : coder_(coder) { coder_.enter(); }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;
  ~Nested() { coder_.leave(); }

 private:
  Coder& coder_;
};

/// Collects bytes. Not thread-safe. After an exception its content is unspecified until clear().
class MULTIPROCESSING_EXPORT Encoder : public Coder {
 public:
  Encoder() noexcept;
  ~Encoder();
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;

  void write(const void* data, std::size_t size) {
    if (size > capacity_ - size_) grow(size);
    if (size != 0) std::memcpy(buffer_.get() + size_, data, size);
    size_ += size;
  }
  void write(std::span<const std::byte> bytes) { write(bytes.data(), bytes.size()); }

  template <Number T>
  void number(T value) {
    if constexpr (std::same_as<T, bool>) {
      number<std::uint8_t>(value ? 1 : 0);
    } else {
      std::byte bytes[sizeof(T)];
      to_little_endian(value, bytes);
      write(bytes, number_size<T>);
    }
  }
  /// A length: always 64 bits.
  void length(std::size_t value) { number<std::uint64_t>(value); }

  void reserve(std::size_t more) {
    if (more > capacity_ - size_) grow(more);
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {buffer_.get(), size_}; }
  /// Drops what was written after the first `size` bytes; handles stay.
  void shrink_to(std::size_t size) noexcept {
    if (size < size_) size_ = size;
  }
  /// Empty again; the memory is kept.
  void clear() noexcept;

  /// Whoever sends the bytes can send handles beside them.
  void allow_handles() noexcept { handles_allowed_ = true; }
  /// A handle that goes with the bytes; `owner` keeps it open until they are sent. Throws SerializationError
  /// where none can go.
  void attach_handle(std::intptr_t handle, std::shared_ptr<const void> owner);
  [[nodiscard]] std::span<const std::intptr_t> handles() const noexcept { return handles_; }

 private:
  void grow(std::size_t more);

  std::unique_ptr<std::byte[]> buffer_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::vector<std::intptr_t> handles_;
  std::vector<std::shared_ptr<const void>> owners_;
  bool handles_allowed_ = false;
};

/// Hands out the bytes of a span, which must outlive it. Every read is checked against what is left; a failed
/// one throws SerializationError. Not thread-safe.
class MULTIPROCESSING_EXPORT Decoder : public Coder {
 public:
  explicit Decoder(std::span<const std::byte> bytes) noexcept : Coder("read"), bytes_(bytes) {}

  void read(void* target, std::size_t size) {
    const std::span<const std::byte> bytes = take(size);
    if (size != 0) std::memcpy(target, bytes.data(), size);
  }
  /// The next bytes, in place.
  std::span<const std::byte> take(std::size_t size) {
    if (size > remaining()) fail_short(size);
    const std::span<const std::byte> bytes(bytes_.data() + position_, size);
    position_ += size;
    return bytes;
  }

  template <Number T>
  T number() {
    if constexpr (std::same_as<T, bool>) {
      return read_bool();
    } else {
      std::byte bytes[sizeof(T)] = {};
      read(bytes, number_size<T>);
      return from_little_endian<T>(bytes);
    }
  }
  /// A length of elements that take at least `element_size` bytes each. Refused if the bytes that are left
  /// cannot hold them, so that nothing is allocated for a lie. With 0 any length passes, and whoever reads
  /// the elements calls count_weightless() for each that took nothing.
  std::size_t length(std::size_t element_size);

  /// The handles that came with the bytes. They stay the caller's but for those that are taken.
  void offer_handles(std::span<std::intptr_t> handles) noexcept { handles_ = handles; }
  /// The next one, which is the caller's from now on: its place among those offered holds -1. Throws
  /// SerializationError if there is none.
  [[nodiscard]] std::intptr_t take_handle();

  [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - position_; }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  /// Throws SerializationError if bytes are left.
  void expect_end() const;

 private:
  bool read_bool();
  [[noreturn]] void fail_short(std::size_t wanted) const;

  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  std::span<std::intptr_t> handles_;
};

}  // namespace multiprocessing::detail
