// The floors of pools on POSIX systems.
#include "pool_floors.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

namespace benchmarks {
namespace {

bool write_all(int fd, std::span<const std::uint32_t> words) {
  for (auto bytes = std::as_bytes(words); !bytes.empty();) {
    const auto count = write(fd, bytes.data(), bytes.size());
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

/// Words from a stream, as many at a time as there are.
class Intake {
 public:
  explicit Intake(int fd) : fd_(fd) {}
  /// The next so many, which stay good until the next call; empty at the end of the stream.
  std::span<std::uint32_t> next(std::size_t count) {
    while (has() < count * sizeof(std::uint32_t))
      if (!fill(count)) return {};
    auto* const words = reinterpret_cast<std::uint32_t*>(buffer_.data() + begin_);
    begin_ += count * sizeof(std::uint32_t);
    return {words, count};
  }
  /// Whether a whole portion is here already.
  [[nodiscard]] bool has_portion() const {
    if (has() < sizeof(std::uint32_t)) return false;
    std::uint32_t count = 0;
    std::memcpy(&count, buffer_.data() + begin_, sizeof count);
    return has() >= (count + std::size_t{1}) * sizeof count;
  }

 private:
  [[nodiscard]] std::size_t has() const { return end_ - begin_; }
  bool fill(std::size_t count) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, has());
    end_ -= begin_;
    begin_ = 0;
    buffer_.resize(std::max({buffer_.size(), count * sizeof(std::uint32_t), std::size_t{64} * 1024}));
    const auto got = read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    if (got <= 0) return false;
    end_ += static_cast<std::size_t>(got);
    return true;
  }

  int fd_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// A portion is its length and the numbers; so is its answer.
[[noreturn]] void work(int fd) {
  Intake intake(fd);
  std::vector<std::uint32_t> answer;
  for (;;) {
    const auto length = intake.next(1);
    if (length.empty()) _exit(0);
    answer.assign(1, length.front());
    for (const auto number : intake.next(answer.front())) answer.push_back(number * number);
    if (!write_all(fd, answer)) _exit(0);
  }
}

class Workers {
 public:
  explicit Workers(int count) {
    for (int i = 0; i < count; ++i) {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
      const pid_t pid = fork();
      if (pid == 0) {
        for (const int other : sockets_) close(other);
        close(ends[0]);
        work(ends[1]);
      }
      close(ends[1]);
      sockets_.push_back(ends[0]);
      pids_.push_back(pid);
    }
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() {
    for (const int socket : sockets_) close(socket);
    for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
  }
  /// No more tasks: their sockets come to an end once they have ended.
  void finish() const {
    for (const int socket : sockets_) shutdown(socket, SHUT_WR);
  }
  [[nodiscard]] const std::vector<int>& sockets() const { return sockets_; }

 private:
  std::vector<int> sockets_;
  std::vector<pid_t> pids_;
};

class Map {
 public:
  Map(const Workers& workers, const std::vector<std::uint32_t>& inputs, std::size_t portion,
      std::size_t ahead)
      : inputs_(inputs), results_(inputs.size()), portion_(portion), ahead_(ahead) {
    for (const int socket : workers.sockets()) hands_.push_back({socket, Intake(socket), {}});
  }

  bool run() {
    for (auto& hand : hands_)
      if (!feed(hand)) return false;
    while (left_ > 0) {
      std::vector<pollfd> entries;
      for (const auto& hand : hands_) entries.push_back({hand.socket, POLLIN, 0});
      if (poll(entries.data(), entries.size(), -1) <= 0) return false;
      for (std::size_t i = 0; i < hands_.size(); ++i)
        if (entries[i].revents != 0 && !(collect(hands_[i]) && feed(hands_[i]))) return false;
    }
    return true;
  }

 private:
  struct Hand {
    int socket;
    Intake intake;
    std::deque<std::size_t> begun;  ///< where each portion begins
  };

  bool feed(Hand& hand) {
    std::vector<std::uint32_t> words;
    while (hand.begun.size() < ahead_ && given_ < inputs_.size()) {
      const auto count = std::min(portion_, inputs_.size() - given_);
      words.push_back(static_cast<std::uint32_t>(count));
      const auto from = inputs_.begin() + static_cast<std::ptrdiff_t>(given_);
      words.insert(words.end(), from, from + static_cast<std::ptrdiff_t>(count));
      hand.begun.push_back(given_);
      given_ += count;
    }
    return write_all(hand.socket, words);
  }

  bool collect(Hand& hand) {
    do {
      const auto length = hand.intake.next(1);
      if (length.empty()) return false;
      const std::size_t count = length.front();
      const auto numbers = hand.intake.next(count);
      if (numbers.size() != count || hand.begun.empty()) return false;
      std::copy(numbers.begin(), numbers.end(),
                results_.begin() + static_cast<std::ptrdiff_t>(hand.begun.front()));
      hand.begun.pop_front();
      left_ -= count;
    } while (hand.intake.has_portion());
    return true;
  }

  const std::vector<std::uint32_t>& inputs_;
  std::vector<std::uint32_t> results_;
  const std::size_t portion_;
  const std::size_t ahead_;
  std::vector<Hand> hands_;
  std::size_t given_ = 0;
  std::size_t left_ = inputs_.size();
};

/// The thread that waits for all workers, and whoever waits for an answer.
class Desk {
 public:
  explicit Desk(const std::vector<int>& sockets) : sockets_(sockets), thread_([this] { serve(); }) {}
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  /// Once no worker is left.
  ~Desk() { thread_.join(); }

  bool call(std::uint32_t number) {
    const std::array<std::uint32_t, 2> task = {1, number};
    if (!write_all(sockets_.front(), task)) return false;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return answered_ || over_; });
    answered_ = false;
    return !over_;
  }

 private:
  void serve() {
    std::vector<Intake> intakes(sockets_.begin(), sockets_.end());
    std::vector<pollfd> entries;
    for (const int socket : sockets_) entries.push_back({socket, POLLIN, 0});
    for (bool over = false; !over;) {
      over = poll(entries.data(), entries.size(), -1) <= 0;
      for (std::size_t i = 0; i < entries.size(); ++i)
        if (entries[i].revents != 0) over = intakes[i].next(2).empty() || over;
      {
        const std::scoped_lock lock(mutex_);
        answered_ = true;
        over_ = over;
      }
      changed_.notify_one();
    }
  }

  const std::vector<int> sockets_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool answered_ = false;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace

Measure bare_open_and_close(int workers) {
  return [=] { return seconds_of(3, [=] { const Workers begun(workers); }); };
}

Measure bare_map(int count, std::size_t portion, std::size_t ahead) {
  return [=] {
    const Workers workers(2);
    std::vector<std::uint32_t> inputs(static_cast<std::size_t>(count));
    const auto once = [&] {
      std::iota(inputs.begin(), inputs.end(), 0U);
      return Map(workers, inputs, portion, ahead).run();
    };
    if (!once()) return 0.0;
    return seconds_if_done(1, once) / count;
  };
}

Measure bare_call_after_pause(int times) {
  return [=] {
    const Workers workers(1);
    const std::vector<std::uint32_t> one = {7};
    double seconds = 0;
    for (int i = 0; i < times; ++i) {
      pause_between_calls();
      seconds += seconds_of(1, [&] { Map(workers, one, 1, 1).run(); });
    }
    return seconds / times;
  };
}

Measure bare_call_by_thread(int times) {
  return [=] {
    const Workers workers(1);
    if (workers.sockets().empty()) return 0.0;
    Desk desk(workers.sockets());
    const double seconds = seconds_if_done(times, [&] { return desk.call(7); });
    workers.finish();
    return seconds;
  };
}

std::uint64_t peak_memory() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

}  // namespace benchmarks
