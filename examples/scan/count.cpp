// Counting: one pass over each file's bytes with a buffer that is used for all.
#include "count.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace scan {
namespace {

/// What a byte does: ends a word, is part of one, or neither.
enum Kind : std::uint8_t { space = 0, letter = 1, neither = 2 };
using KindTable = std::array<Kind, 256>;

KindTable make_kinds(Words words) {
  KindTable kinds{};
  for (std::size_t byte = 0; byte < kinds.size(); ++byte) {
    const bool is_space = byte == ' ' || (byte >= '\t' && byte <= '\r');
    const bool is_printable = byte > ' ' && byte < 0x7F;
    kinds[byte] = is_space ? space : is_printable || words == Words::any ? letter : neither;
  }
  return kinds;
}

class Counter {
 public:
  explicit Counter(Words words) : kinds_(make_kinds(words)), buffer_(std::size_t{256} << 10) {}

  /// Throws std::system_error.
  Counts count(const std::filesystem::path& path) {
    const auto begin = std::chrono::steady_clock::now();
    std::ifstream in;
    in.rdbuf()->pubsetbuf(nullptr, 0);  // read straight into our buffer
    errno = 0;
    in.open(path, std::ios::binary);
    if (!in) throw std::system_error(errno, std::generic_category(), "cannot open");
    Counts counts{.files = 1};
    inside_word_ = space;
    while (const std::size_t size = read(in)) add(std::span(buffer_).first(size), counts);
    counts.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return counts;
  }

 private:
  std::size_t read(std::ifstream& in) {
    errno = 0;
    in.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    if (in.bad()) throw std::system_error(errno, std::generic_category(), "cannot read");
    return static_cast<std::size_t>(in.gcount());
  }

  void add(std::span<const char> bytes, Counts& counts) {
    std::uint64_t words = 0;
    Kind inside = inside_word_;
    for (const char byte : bytes) {
      const Kind kind = kinds_[static_cast<unsigned char>(byte)];
      if (kind == neither) continue;
      words += static_cast<std::uint64_t>(kind & ~inside);
      inside = kind;
    }
    inside_word_ = inside;
    counts.words += words;
    counts.lines += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
    counts.bytes += bytes.size();
  }

  KindTable kinds_;
  std::vector<char> buffer_;
  Kind inside_word_ = space;
};

/// An address that nothing is mapped at; volatile, so that the compiler does not know.
volatile std::uintptr_t nowhere = 16;

void misbehave(const Injection& injection) {
  switch (injection.fault) {
    case Fault::crash:
      *reinterpret_cast<volatile int*>(nowhere) = 1;
      break;
    case Fault::hang:
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    case Fault::throw_exception:
      throw std::runtime_error("cannot stand " + injection.path);
  }
}

/// What a worker has from prepare_worker().
struct Equipment {
  Counter counter;
  std::vector<Injection> injections;
};
std::optional<Equipment> equipment;

std::filesystem::path to_path(std::string_view utf8) { return std::u8string(utf8.begin(), utf8.end()); }

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  files += other.files;
  lines += other.lines;
  words += other.words;
  bytes += other.bytes;
  seconds += other.seconds;
  return *this;
}

void prepare_worker(Words words, std::vector<Injection> injections) {
  equipment.emplace(Equipment{Counter(words), std::move(injections)});
}

FileCounts count_file(const std::string& path) {
  for (const Injection& injection : equipment->injections)
    if (injection.path == path) misbehave(injection);
  try {
    return {equipment->counter.count(to_path(path)), {}};
  } catch (const std::system_error& error) {
    return {{}, error.what()};
  }
}

}  // namespace scan
