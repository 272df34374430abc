// Crash reports, where the conformance suite cannot look: the room that each stack keeps for one.
#include "contract/crash.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "contract/channel.hpp"
#include "stack_walk.hpp"
#include "win32.hpp"

namespace multiprocessing::platform::win32 {
namespace {

constexpr ULONG enough = 64 * 1024;

ULONG reserve_of_this_thread() {
  ULONG size = 0;  // asks, and changes nothing
  REQUIRE(SetThreadStackGuarantee(&size));
  return size;
}

ULONG reserve_of_new_thread() {
  ULONG size = 0;
  std::thread([&size] { size = reserve_of_this_thread(); }).join();
  return size;
}

TEST_SUITE_BEGIN("backend.crash");

TEST_CASE("the thread that armed and those that begin later keep room for a report") {
  CHECK(reserve_of_new_thread() < enough);
  const auto pipe = stream_pipe(Direction::child_reads);
  REQUIRE(pipe);
  REQUIRE(arm_crash_reports(pipe->child.get(), {}));
  CHECK(reserve_of_this_thread() >= enough);
  CHECK(reserve_of_new_thread() >= enough);
  disarm_crash_reports();
  CHECK(reserve_of_new_thread() < enough);
}

TEST_CASE("a walk with a stack pointer that is none ends at once") {
  CONTEXT registers = {};
  RtlCaptureContext(&registers);
  std::array<std::uintptr_t, 16> addresses = {};
  CHECK(walk_stack(registers, addresses) > 2);
  CHECK(walk_stack(registers, {}) == 0);
#if defined(__x86_64__) || defined(_M_X64)
  for (const DWORD64 wrong : {DWORD64{0}, DWORD64{8}, registers.Rsp | 1, ~DWORD64{7}}) {
    registers.Rsp = wrong;
    CHECK(walk_stack(registers, addresses) == 1);
  }
#endif
}

}  // namespace
}  // namespace multiprocessing::platform::win32

TEST_SUITE_END();
