// Processes whose ends are watched together: all of a family hold one output, and say there who they are.
#pragma once

#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "contract/process.hpp"

namespace family {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;

/// How long a family may take to come into being, and what is left of it to end. More is a hang.
inline constexpr std::chrono::seconds patience(60);

inline void tell(const char* what) {
  const auto me = platform::current_identity();
  std::cout << std::string(what) + ' ' + std::to_string(me.pid) + ' ' + std::to_string(me.start_time) + '\n'
            << std::flush;
}

/// What a family has written so far.
class Output {
 public:
  explicit Output(mp::ByteStream& stream) : stream_(stream) {}

  /// Reads until there are so many lines; false at the end of the stream and when the time is over.
  bool reach(std::ptrdiff_t lines) {
    while (std::count(text_.begin(), text_.end(), '\n') < lines)
      if (!read_more()) return false;
    return true;
  }
  /// Reads to the end; false when the time is over first.
  bool reach_end() {
    while (read_more()) {
    }
    return ended_;
  }
  /// How many of those that said who they are still run.
  [[nodiscard]] int running() const {
    std::istringstream words(text_);
    std::string what;
    platform::ProcessIdentity identity;
    int count = 0;
    while (words >> what >> identity.pid >> identity.start_time)
      if (platform::is_alive(identity)) ++count;
    return count;
  }

 private:
  bool read_more() {
    try {
      std::vector<std::byte> buffer(256);
      const auto count = stream_.read_some(buffer, limit_.token());
      ended_ = count == 0;
      for (std::size_t i = 0; i < count; ++i) text_ += static_cast<char>(buffer[i]);
      return count > 0;
    } catch (const mp::CancelledError&) {
      return false;
    }
  }

  mp::ByteStream& stream_;
  mp::TimeLimit limit_{patience};
  std::string text_;
  bool ended_ = false;
};

}  // namespace family
