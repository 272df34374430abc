// Priority as the system sees it: the priority class of a child.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <windows.h>

#include <array>
#include <cstdint>

#include "contract/process.hpp"
#include "launch_parts.hpp"
#include "test_support/listener.hpp"

namespace backend_priority {

namespace mp = multiprocessing;
using mp::platform::PriorityClass;

std::uint32_t own_class() { return GetPriorityClass(GetCurrentProcess()); }

std::uint32_t class_of_child(mp::Priority priority) {
  mp::CallOptions options;
  options.process.priority = priority;
  return mp::call(options, own_class);
}

/// In a child, so that the test's own process keeps its class.
std::array<std::uint32_t, 3> changed_classes() {
  std::array<std::uint32_t, 3> found{};
  std::size_t count = 0;
  for (const auto priority :
       {PriorityClass::below_normal, PriorityClass::background, PriorityClass::normal}) {
    if (!mp::platform::change_priority(priority)) break;
    found.at(count++) = own_class();
  }
  return found;
}

/// Whether a process is born with the class that CreateProcessW is given: under wine 8 it is not.
bool starts_with_class() {
  std::array<wchar_t, MAX_PATH + 1> self{};
  REQUIRE(GetModuleFileNameW(nullptr, self.data(), static_cast<DWORD>(self.size())) < self.size());
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION made{};
  REQUIRE(CreateProcessW(self.data(), nullptr, nullptr, nullptr, FALSE,
                         CREATE_SUSPENDED | IDLE_PRIORITY_CLASS, nullptr, nullptr, &startup, &made));
  const bool starts = GetPriorityClass(made.hProcess) == IDLE_PRIORITY_CLASS;
  TerminateProcess(made.hProcess, 0);
  WaitForSingleObject(made.hProcess, INFINITE);
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
  return starts;
}

TEST_SUITE("backend.priority") {
  TEST_CASE("each priority has a class, and normal asks for none") {
    CHECK(mp::platform::win32::priority_flags(PriorityClass::normal) == 0);
    CHECK(mp::platform::win32::priority_flags(PriorityClass::below_normal) == BELOW_NORMAL_PRIORITY_CLASS);
    CHECK(mp::platform::win32::priority_flags(PriorityClass::background) == IDLE_PRIORITY_CLASS);
  }

  TEST_CASE("a process changes its own class") {
    CHECK(mp::call(changed_classes) == std::array<std::uint32_t, 3>{BELOW_NORMAL_PRIORITY_CLASS,
                                                                    IDLE_PRIORITY_CLASS,
                                                                    NORMAL_PRIORITY_CLASS});
  }

  TEST_CASE("a child has the class of its priority, and its parent stays as it is") {
    if (!starts_with_class())
      return mp::test_support::skip("no process is born with a class that its start asks for");
    const auto own = own_class();
    CHECK(class_of_child(mp::Priority::below_normal) == BELOW_NORMAL_PRIORITY_CLASS);
    CHECK(class_of_child(mp::Priority::background) == IDLE_PRIORITY_CLASS);
    // The system's rule: a low class is handed on, and from a high one children are normal.
    const bool is_low = own == IDLE_PRIORITY_CLASS || own == BELOW_NORMAL_PRIORITY_CLASS;
    CHECK(class_of_child(mp::Priority::normal) == (is_low ? own : NORMAL_PRIORITY_CLASS));
    CHECK(own_class() == own);
  }
}

}  // namespace backend_priority
