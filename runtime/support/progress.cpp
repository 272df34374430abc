// How far something is, as a line of text, and when it is written.
#include <multiprocessing/progress.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "contract/console.hpp"

namespace multiprocessing::detail {
namespace {

using Clock = std::chrono::steady_clock;

/// "1:02:03" or "02:03".
std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(std::min(seconds, 359'999.0));
  std::array<char, 32> text{};
  if (whole >= 3600)
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text.data(), text.size(), "%02lld:%02lld", whole / 60, whole % 60);
  return text.data();
}

/// "12.3/s", "4.5k/s".
std::string rate_text(double rate) {
  const bool thousands = rate >= 10'000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), thousands ? "%.1fk/s" : "%.1f/s", thousands ? rate / 1000 : rate);
  return text.data();
}

}  // namespace

struct ProgressBar::State {
  ProgressOptions options;
  std::optional<int> width = platform::terminal_width(platform::StandardStream::error);
  Clock::time_point begun = Clock::now();
  Clock::time_point next = begun;
  std::uint64_t done = 0;
  std::size_t written = 0;  ///< columns of the line that stands on the terminal

  [[nodiscard]] std::string line(Clock::time_point now) const {
    const double seconds = std::chrono::duration<double>(now - begun).count();
    const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
    std::string text = options.description.empty() ? "" : options.description + ": ";
    std::string end = std::to_string(done);
    if (!options.total) return text + end + " [" + clock_text(seconds) + ", " + rate_text(rate) + "]";
    const auto total = std::max<std::uint64_t>(*options.total, done);
    const double share = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
    end += '/' + std::to_string(total) + " [" + clock_text(seconds);
    if (rate > 0 && done < total) end += '<' + clock_text(static_cast<double>(total - done) / rate);
    end += ", " + rate_text(rate) + ']';
    text += std::to_string(static_cast<int>(share * 100)) + "% ";
    return text + bar(share, text.size() + end.size()) + end;
  }

  /// As wide as the terminal leaves room for; nothing elsewhere.
  [[nodiscard]] std::string bar(double share, std::size_t others) const {
    constexpr std::size_t widest = 40, narrowest = 4, frame = 4;
    const auto columns = static_cast<std::size_t>(width.value_or(0));
    if (columns < others + frame + narrowest) return {};
    const std::size_t room = std::min(widest, columns - others - frame);
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(room));
    return '|' + std::string(filled, '#') + std::string(room - filled, ' ') + "| ";
  }

  void show(Clock::time_point now, bool last) {
    std::string text = line(now);
    const std::size_t columns = text.size();
    if (width) {
      if (columns < written) text.append(written - columns, ' ');
      text.insert(text.begin(), '\r');
      written = columns;
    }
    if (!width || last) text += '\n';
    platform::write_to_standard_error(text);
  }
};

ProgressBar::ProgressBar(ProgressOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
}

ProgressBar::ProgressBar(ProgressBar&&) noexcept = default;

ProgressBar::~ProgressBar() {
  if (state_ == nullptr) return;
  try {
    state_->show(Clock::now(), true);
  } catch (...) {
    // Without memory there is no last line.
  }
}

void ProgressBar::advance() {
  ++state_->done;
  const auto now = Clock::now();
  if (now < state_->next) return;
  constexpr std::chrono::milliseconds on_terminal(100);
  constexpr std::chrono::seconds elsewhere(10);
  const bool first = state_->next == state_->begun;
  state_->next =
      now + (state_->width ? std::chrono::nanoseconds(on_terminal) : std::chrono::nanoseconds(elsewhere));
  if (state_->width || !first) state_->show(now, false);
}

}  // namespace multiprocessing::detail
