// The parts of the archives that need not be inline: growth, the text of errors, what cereal keeps.
#include <multiprocessing/detail/archive.hpp>
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/errors.hpp>

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <utility>

namespace multiprocessing::detail {
namespace {

std::string describe(const char* verb, const Subject& subject) {
  std::string text = std::string("cannot ") + verb + ' ';
  if (subject.argument != 0) text += "argument " + std::to_string(subject.argument) + ", ";
  return text += subject.type.empty() ? std::string_view("a value") : subject.type;
}

}  // namespace

void Coder::fail(std::string_view problem) const {
  throw SerializationError(describe(verb_, subject_) + ": " + std::string(problem));
}

void Coder::rethrow_as_ours() const {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& cause) {
    std::throw_with_nested(SerializationError(describe(verb_, subject_) + ": " + cause.what()));
  } catch (...) {
    std::throw_with_nested(SerializationError(describe(verb_, subject_) + ": an unknown exception"));
  }
}

Encoder::Encoder() noexcept : Coder("write") {}
Encoder::~Encoder() = default;

Encoder::Encoder(Encoder&& other) noexcept
    : Coder(other),
      buffer_(std::move(other.buffer_)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      handles_(std::move(other.handles_)),
      owners_(std::move(other.owners_)),
      handles_allowed_(other.handles_allowed_) {}

Encoder& Encoder::operator=(Encoder&& other) noexcept {
  Coder::operator=(other);
  buffer_ = std::move(other.buffer_);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  handles_ = std::move(other.handles_);
  owners_ = std::move(other.owners_);
  handles_allowed_ = other.handles_allowed_;
  return *this;
}

void Encoder::clear() noexcept {
  size_ = 0;
  handles_.clear();
  owners_.clear();
  Coder::operator=(Encoder());
}

void Encoder::attach_handle(std::intptr_t handle, std::shared_ptr<const void> owner) {
  if (!handles_allowed_) fail("it travels as an argument of a process or through a Connection only");
  owners_.push_back(std::move(owner));
  handles_.push_back(handle);
}

std::intptr_t Decoder::take_handle() {
  if (handles_.empty()) fail("a handle that did not come");
  const std::intptr_t handle = std::exchange(handles_.front(), -1);
  handles_ = handles_.subspan(1);
  return handle;
}

void Encoder::grow(std::size_t more) {
  constexpr std::size_t smallest = 256;
  if (more > std::numeric_limits<std::size_t>::max() / 4 - size_) throw std::bad_alloc();
  const std::size_t capacity = std::max({smallest, capacity_ * 2, size_ + more});
  // Not make_unique: it would write zeros first.
  std::unique_ptr<std::byte[]> larger(new std::byte[capacity]);
  if (size_ != 0) std::memcpy(larger.get(), buffer_.get(), size_);
  buffer_ = std::move(larger);
  capacity_ = capacity;
}

std::size_t Decoder::length(std::size_t element_size) {
  const auto claimed = number<std::uint64_t>();
  if (element_size != 0 && claimed > remaining() / element_size)
    fail("a length of " + std::to_string(claimed) + " at byte " + std::to_string(position_) + ", where " +
         std::to_string(remaining()) + " bytes are left");
  if (claimed > std::numeric_limits<std::size_t>::max() / 2) fail("a length of " + std::to_string(claimed));
  return static_cast<std::size_t>(claimed);
}

bool Decoder::read_bool() {
  const auto value = number<std::uint8_t>();
  if (value > 1) fail("a bool of " + std::to_string(value));
  return value == 1;
}

void Decoder::fail_short(std::size_t wanted) const {
  fail(std::to_string(wanted) + " bytes wanted at byte " + std::to_string(position_) + ", where " +
       std::to_string(remaining()) + " are left");
}

void Decoder::expect_end() const {
  if (remaining() != 0)
    fail(std::to_string(remaining()) + " bytes too many at byte " + std::to_string(position_));
}

OutputArchive::OutputArchive(Encoder& encoder) : Base(this), encoder_(encoder) {}
OutputArchive::~OutputArchive() = default;

InputArchive::InputArchive(Decoder& decoder) : Base(this), decoder_(decoder) {}
InputArchive::~InputArchive() = default;

}  // namespace multiprocessing::detail
