// ctest:
// The end of a program: daemonic children are terminated, the others are joined; by return from main,
// std::exit and mp::exit, here and in a child. Run without arguments it starts itself in each way and looks
// at what remains.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

void wait_for_ever() { mp::connection::wait({mp::parent_process()->sentinel()}); }
void say_done() { std::cout << "worker is done" << std::endl; }

/// Starts a daemon that would stay for ever and a worker that would be lost, and leaves without a join.
void leave(std::string how) {
  mp::Process daemon(mp::ProcessOptions{.daemon = true}, wait_for_ever);
  daemon.start();
  mp::Process worker(say_done);
  worker.start();
  if (how == "std::exit") std::exit(6);
  if (how == "mp::exit") mp::exit(6);
}

void copy_input() {
  for (std::string line; std::getline(std::cin, line);) std::cout << line << '\n';
}
void say_much() { std::cout << std::string(1 << 20, 'x') << std::flush; }

/// Leaves children that wait at a pipe whose other end nobody can reach any more.
void leave_pipes() {
  mp::Process reader(mp::ProcessOptions{.standard_input = mp::Stdio::pipe}, copy_input);
  reader.start();
  reader.standard_input().write("a line\n");
  mp::Process writer(mp::ProcessOptions{.standard_output = mp::Stdio::pipe}, say_much);
  writer.start();
}

/// True if the program came to its end.
bool check_pipes(mp::Context& context) {
  auto p = context.Process(leave_pipes);
  p.start();
  const bool ended = p.join(std::chrono::seconds(60));
  if (!ended) {
    std::printf("pipes hold up the end by %s\n", context.get_start_method().c_str());
    p.kill();
    p.join();
  }
  return ended && p.exitcode() == 0;
}

bool check(mp::Context& context, const std::string& how, int expected) {
  auto p = context.Process(mp::ProcessOptions{.standard_output = mp::Stdio::pipe}, leave, how);
  p.start();
  const auto bytes = p.standard_output().read_all();  // to the end of all that hold it, the daemon too
  p.join();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const bool good = p.exitcode() == expected && text.find("worker is done") != std::string::npos;
  if (!good)
    std::printf("%s by %s: %s, '%s'\n", how.c_str(), context.get_start_method().c_str(),
                p.exit_reason().c_str(), text.c_str());
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  bool good = true;
  for (const auto& method : mp::get_all_start_methods()) {
    auto& context = mp::get_context(method);
    good = check(context, "return", 0) && good;
    good = check(context, "std::exit", 6) && good;
    good = check(context, "mp::exit", 6) && good;
    good = check_pipes(context) && good;
  }
  // And the main program itself: this daemon must not outlive it, nor keep it.
  static mp::Process daemon(mp::ProcessOptions{.daemon = true}, wait_for_ever);
  daemon.start();
  return mp::test_support::verdict(good ? 0 : 1);
}
