// A table of ratios. Times drift from machine to machine and from minute to minute, so every row measures our
// side, the floor (the bare system calls) and a peer in interleaved rounds of one run, and its goal is a
// ratio of medians. (Google Benchmark runs one side after the other; its rounds cannot be interleaved with
// those of another program.)
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace benchmarks {

/// Does the work once and returns the seconds that count; 0 or less if it could not be done.
using Measure = std::function<double()>;

struct Row {
  std::string work = {};
  Measure ours = {};
  Measure floor = {};           ///< empty: there is none
  std::string floor_name = {};  ///< with a name and no measure: not there, which the row says
  Measure peer = {};            ///< as floor
  std::string peer_name = {};   ///< empty: Python
  double at_most_floor = 0;     ///< goal: ours ≤ this × floor; 0: none
  double at_least_peer = 0;     ///< goal: peer ≥ this × ours; 0: none
  int rounds = 15;
};

/// What the command line says: --quick makes few rounds, only to see that nothing has rotted.
struct Settings {
  bool quick = false;
  std::string only = {};  ///< --only TEXT: the rows whose work has this text in it
  std::string plot = {};  ///< --plot FILE: where a program that shows growth draws it
};
[[nodiscard]] Settings read_settings(int argc, char** argv);

/// Seconds that `work` takes, on average of `times`.
[[nodiscard]] double seconds_of(int times, const std::function<void()>& work);
/// The same of work that says whether it was done; 0 once it was not.
[[nodiscard]] double seconds_if_done(int times, const std::function<bool()>& work);

/// So long that whoever waits for work is asleep after it.
void pause_between_calls();

/// Measures row by row and prints the table; returns how many goals were missed.
int print_table(const std::vector<Row>& rows, const Settings& settings);

// What only the system's own files know; *_posix.cpp and *_win32.cpp.

/// This program's own path.
[[nodiscard]] std::string own_path(const char* argv0);
/// Starts a program by the bare system call and waits for its end. Empty where there is none to compare with.
[[nodiscard]] Measure bare_spawn(std::vector<std::string> command);
[[nodiscard]] Measure bare_fork();
/// The same with what every child of the library has: a channel to its parent, a sentinel, and a thread that
/// watches for the parent's end.
[[nodiscard]] Measure bare_supervised_fork();
/// A process that forks for another: it is asked over a socket, forks a child that ends at once, waits for it
/// and answers. Made at the first round.
[[nodiscard]] Measure bare_zygote();
/// The same with what every child of the library has: a channel over which it reads a record and answers, a
/// sentinel, which travels, a thread that watches for the parent's end, and a word about the end.
[[nodiscard]] Measure bare_supervised_zygote();
/// Starts `self --end-supervised CHANNEL` with the same, and with a record that it reads and answers. Empty
/// where there is no such floor.
[[nodiscard]] Measure bare_supervised_spawn(std::string self);
/// What main() does for that flag before it returns.
void end_supervised(int channel);
/// A process that sleeps until it is killed, and its sentinel, given out again under other numbers: many
/// handles without as many processes.
[[nodiscard]] std::vector<long long> copies_of_handle(long long handle, int count);
void close_handles(const std::vector<long long>& handles);
/// The bare wait for any of these, which returns at once because the last is ready.
void bare_wait(const std::vector<long long>& handles);
/// The seconds that a program prints for one round; nullopt if it prints none or fails. The shell reads
/// the command.
[[nodiscard]] std::optional<double> program_seconds(const std::string& command);
/// The same of a Python program and `mode`.
[[nodiscard]] std::optional<double> python_seconds(const std::string& script, const std::string& mode);
/// "2 × Intel …, Linux 6.1": for the table's head.
[[nodiscard]] std::string machine();

}  // namespace benchmarks
