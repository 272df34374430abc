// Listening to the process that forked a child for us: one word of fixed size on a channel, and its end.
#include "told_end.hpp"

#include <cstring>
#include <span>

namespace multiprocessing::platform::posix {

// Only the last byte makes it a word. Nonsense is as good as silence.
std::optional<ExitStatus> ToldEnd::word() const noexcept {
  Word word;
  std::memcpy(&word, bytes_.data(), sizeof word);
  if (word.magic != Word::expected_magic || word.kind > ExitStatus::Kind::unknown) return std::nullopt;
  return ExitStatus{word.kind, word.code};
}

std::optional<ExitStatus> ToldEnd::ask() noexcept {
  while (!over_ && filled_ < bytes_.size()) {
    const auto count = from_.read_some(std::span(bytes_).subspan(filled_));
    if (!count) {
      // A read that failed for once is repeated when somebody asks again.
      over_ = count.error().condition == Condition::broken;
      return std::nullopt;
    }
    over_ = *count == 0;
    filled_ += *count;
  }
  if (filled_ < bytes_.size()) return std::nullopt;
  over_ = true;
  return word();
}

}  // namespace multiprocessing::platform::posix
