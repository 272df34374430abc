// What both handshakes put their messages together with.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace multiprocessing::runtime {

using Bytes = std::vector<std::byte>;
using View = std::span<const std::byte>;

inline View bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

// Byte by byte: gcc 12 takes insert() behind a literal for a mistake.
inline void append(Bytes& bytes, View more) {
  bytes.reserve(bytes.size() + more.size());
  for (const std::byte byte : more) bytes.push_back(byte);
}

}  // namespace multiprocessing::runtime
