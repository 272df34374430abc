// ctest:
// A child without memory: an exception ends it and reaches its parent, although there is nothing to describe
// it with; it never goes on in its parent's place.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>

#include "test_support/refused_memory.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace {
thread_local bool exhausted = false;  // of the target's thread: the others are not what is tested
}

bool mp::test_support::is_refused(std::size_t) noexcept { return exhausted; }

namespace {

void use_all() {
  exhausted = true;
  throw std::bad_alloc();
}

/// The first record that this process writes. It is lost; the process is not.
void log_without_memory() {
  exhausted = true;
  mp::get_logger().warning("nobody reads this");
  exhausted = false;
}

bool check(mp::Context& context, std::optional<int> here) {
  auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, use_all);
  p.start();
  if (mp::current_process().pid() != here) std::_Exit(7);  // in the child, past start()
  p.join();
  if (p.exitcode() != 1 || !p.exception()) {
    std::printf("%s: %s\n", context.get_start_method().c_str(), p.exit_reason().c_str());
    return false;
  }
  context.call(log_without_memory);
  try {
    context.call(use_all);
  } catch (const std::bad_alloc& error) {
    return std::string(error.what()).find("no memory") != std::string::npos;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  const auto here = mp::current_process().pid();
  bool good = true;
  for (const auto& method : mp::get_all_start_methods()) good = check(mp::get_context(method), here) && good;
  return mp::test_support::verdict(good ? 0 : 1);
}

#endif
