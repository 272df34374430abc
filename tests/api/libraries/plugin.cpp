// A plug-in with a copy of the library of its own, in a host that knows nothing of it: what it runs in other
// processes runs in its helper.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <exception>
#include <string>

#include "../programs/helper_program.hpp"

namespace mp = multiprocessing;

namespace {

int not_registered(int x) { return x + 1; }

bool says(const std::string& text, const std::string& words) {
  if (text.find(words) != std::string::npos) return true;
  std::printf("wrong message: %s\n", text.c_str());
  return false;
}

/// Nobody chose a helper yet: the host must not be started a second time.
bool refuses_to_start_the_host(mp::Context& spawn, const char* host) {
  int refused = 0;
  for (const char* executable : {"", host}) {
    mp::set_executable(executable);
    try {
      spawn.call(shared_task, 4);
    } catch (const mp::RuntimeError& error) {
      if (says(error.what(), "freeze_support()")) ++refused;
    }
  }
  return refused == 2;
}

bool runs_in_the_helper(mp::Context& spawn) {
  if (spawn.call(shared_task, 4) != 40) return false;
  auto process = spawn.Process(shared_task, 5);
  process.start();
  process.join();
  return process.exitcode() == 0;
}

/// Code without a name is found too, where the helper can load the plug-in; code of its own is what it runs.
bool finds_what_has_no_name(mp::Context& spawn) { return spawn.call(not_registered, 4) == 5; }

int run(const char* host, const char* helper) {
  mp::register_task<shared_task>("shared task");
  auto& spawn = mp::get_context("spawn");
  if (!refuses_to_start_the_host(spawn, host)) return 1;
  mp::set_executable(helper);
  if (!runs_in_the_helper(spawn)) return 2;
  return finds_what_has_no_name(spawn) ? 0 : 3;
}

}  // namespace

/// 0, or the number of what failed.
extern "C" int plugin_run(const char* host, const char* helper);
int plugin_run(const char* host, const char* helper) try {
  return run(host, helper);
} catch (const std::exception& error) {
  std::printf("the plug-in failed: %s\n", error.what());
  return 9;
}
