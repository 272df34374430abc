// A child that takes too long is terminated; every way to end has its exit code.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void hang() {
  for (;;) std::this_thread::sleep_for(1h);
}
int returns_seven() { return 7; }  // a result, not an exit code
void exits_with_three() { mp::exit(3); }
void throws() { throw std::invalid_argument("no such planet"); }

void report(const mp::Process& p) {
  std::cout << p.name() << ": exitcode " << p.exitcode().value() << std::endl;
}

void run_to_the_end(const char* name, auto target) {
  mp::Process p({.name = name, .standard_error = mp::Stdio::null}, target);
  p.start();
  p.join();
  report(p);
}

int main() {
  mp::freeze_support();

  mp::Process p({.name = "hang"}, hang);
  p.start();
  std::cout << "ended within 100 ms: " << std::boolalpha << p.join(100ms) << std::endl;
  p.terminate();
  p.join();
  report(p);

  mp::Process q({.name = "hang again"}, hang);
  q.start();
  q.kill();
  q.join();
  report(q);

  run_to_the_end("returns_seven", returns_seven);
  run_to_the_end("exits_with_three", exits_with_three);
  run_to_the_end("throws", throws);
}
