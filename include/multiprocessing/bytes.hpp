// What a function takes that wants bytes.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace multiprocessing {

/// A view of bytes that spans of std::byte and of unsigned char, vectors of both, and strings turn into
/// by themselves; a literal without its NUL. Owns nothing.
class ByteView {
 public:
  ByteView() noexcept = default;
  ByteView(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  ByteView(std::span<const unsigned char> bytes) noexcept
      : bytes_(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()) {}
  ByteView(std::string_view text) noexcept
      : bytes_(reinterpret_cast<const std::byte*>(text.data()), text.size()) {}
  ByteView(const char* text) noexcept : ByteView(std::string_view(text)) {}
  template <class Container>
  requires(std::convertible_to<const Container&, std::span<const std::byte>> ||
           std::convertible_to<const Container&, std::span<const unsigned char>> ||
           std::convertible_to<const Container&, std::string_view>) ByteView(const Container& container)
  noexcept : ByteView(from(container)) {}

  [[nodiscard]] const std::byte* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::span<const std::byte> span() const noexcept { return bytes_; }

 private:
  template <class Container>
  static ByteView from(const Container& container) noexcept {
    if constexpr (std::convertible_to<const Container&, std::string_view>)
      return ByteView(std::string_view(container));
    else if constexpr (std::convertible_to<const Container&, std::span<const std::byte>>)
      return ByteView(std::span<const std::byte>(container));
    else
      return ByteView(std::span<const unsigned char>(container));
  }

  std::span<const std::byte> bytes_;
};

/// A path in UTF-8; taken from strings and from whatever has u8string(), such as std::filesystem::path.
class PathView {
 public:
  PathView(std::string path) : path_(std::move(path)) {}
  PathView(std::string_view path) : path_(path) {}
  PathView(const char* path) : path_(path) {}
  template <class Path>
  requires requires(const Path& path) { path.u8string().data(); }
  PathView(const Path& path) {
    const auto text = path.u8string();
    path_.assign(reinterpret_cast<const char*>(text.data()), text.size());
  }
  [[nodiscard]] const std::string& string() const& noexcept { return path_; }
  [[nodiscard]] std::string string() && noexcept { return std::move(path_); }

 private:
  std::string path_;
};

/// A path in UTF-8 that is kept: a std::string which is also made from whatever PathView takes.
class PathString : public std::string {
 public:
  PathString() = default;
  template <class Path>
  requires std::convertible_to<const Path&, PathView> PathString(const Path& path)
      : std::string(PathView(path).string()) {}
};

}  // namespace multiprocessing
