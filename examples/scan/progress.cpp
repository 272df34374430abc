// Progress on standard error: often on a terminal, every five seconds elsewhere.
#include "progress.hpp"

#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>

#if __has_include(<io.h>)
#include <io.h>
#else
#include <unistd.h>
#endif

namespace scan {
namespace {

bool is_terminal() {
#if __has_include(<io.h>)
  return _isatty(_fileno(stderr)) != 0;
#else
  return isatty(fileno(stderr)) != 0;
#endif
}

constexpr std::chrono::milliseconds on_terminal(100);
constexpr std::chrono::seconds elsewhere(5);
/// Written over what stands there, since not every console understands a sequence that clears the line.
constexpr int line_width = 60;

}  // namespace

Progress::Progress()
    : terminal_(is_terminal()),
      next_(std::chrono::steady_clock::now() + (terminal_ ? std::chrono::milliseconds(0) : elsewhere)) {}

Progress::~Progress() {
  if (terminal_) std::cerr << '\r' << std::setw(line_width) << "" << '\r' << std::flush;
}

void Progress::show(std::uint64_t files, std::size_t failed) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? on_terminal : elsewhere);
  std::ostringstream line;
  line << files << " files";
  if (failed != 0) line << ", " << failed << " failed";
  if (terminal_)
    std::cerr << '\r' << std::left << std::setw(line_width) << line.str() << std::flush;
  else
    std::cerr << line.str() << '\n';
}

}  // namespace scan
