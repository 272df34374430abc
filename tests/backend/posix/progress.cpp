// progress() where standard error is a terminal: one line that is written again.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <ranges>
#include <string>
#include <utility>

namespace backend_progress {

namespace mp = multiprocessing;

/// Has standard error for as long as it lives.
class Terminal {
 public:
  explicit Terminal(unsigned short columns) {
    shown_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    REQUIRE(shown_ != -1);
    REQUIRE(::grantpt(shown_) == 0);
    REQUIRE(::unlockpt(shown_) == 0);
    typed_ = ::open(::ptsname(shown_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(typed_ != -1);
    winsize size{};
    size.ws_row = 24;
    size.ws_col = columns;
    REQUIRE(::ioctl(typed_, TIOCSWINSZ, &size) == 0);
    before_ = ::dup(STDERR_FILENO);
    REQUIRE(before_ != -1);
    REQUIRE(::dup2(typed_, STDERR_FILENO) != -1);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    give_back();
    ::close(typed_);
    ::close(shown_);
  }

  void give_back() {
    if (before_ == -1) return;
    ::dup2(before_, STDERR_FILENO);
    ::close(std::exchange(before_, -1));
  }
  /// All that was written so far.
  [[nodiscard]] std::string text() const {
    std::string all;
    std::array<char, 4096> part{};
    for (long count = 0; (count = ::read(shown_, part.data(), part.size())) > 0;)
      all.append(part.data(), static_cast<std::size_t>(count));
    return all;
  }

 private:
  int shown_ = -1;
  int typed_ = -1;
  int before_ = -1;
};

std::string shown(unsigned short columns) {
  Terminal terminal(columns);
  for (const int x : mp::progress(std::views::iota(0, 50), {.description = "numbers"})) static_cast<void>(x);
  terminal.give_back();
  return terminal.text();
}

TEST_SUITE("backend.progress") {
  TEST_CASE("on a terminal: a bar as wide as there is room, written over itself") {
    const std::string text = shown(80);
    CHECK(text.starts_with("\rnumbers: "));
    CHECK(text.find("\rnumbers: 100% |####") != std::string::npos);
    CHECK(text.find("| 50/50 [") != std::string::npos);
    CHECK(text.ends_with("/s]\r\n"));
    CHECK(text.find('\n') == text.size() - 1);
  }

  TEST_CASE("on a narrow one there is no bar") {
    const std::string text = shown(30);
    CHECK(text.find("\rnumbers: 100% 50/50 [") != std::string::npos);
    CHECK(text.find('#') == std::string::npos);
  }
}

}  // namespace backend_progress
