// ctest: timeout=300 cost=11
// A pool's worker whose task closes the pipes that it works with.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <windows.h>

#include <cstdint>
#include <ranges>
#include <set>

#include "test_support/leak_check.hpp"

namespace backend_worker_misuse {

namespace mp = multiprocessing;

/// The numbers of handles are small multiples of four.
void close_all_pipes() {
  for (std::uintptr_t number = 4; number < 0x4000; number += 4) {
    const HANDLE handle = reinterpret_cast<HANDLE>(number);
    DWORD flags = 0;
    if (GetFileType(handle) == FILE_TYPE_PIPE &&
        GetNamedPipeInfo(handle, &flags, nullptr, nullptr, nullptr) != 0)
      CloseHandle(handle);
  }
}
int close_at_three(int x) {
  if (x % 10 == 3) close_all_pipes();
  return x;
}
int close_and_stay_at_three(int x) {
  if (x % 10 != 3) return x;
  close_all_pipes();
  for (;;) Sleep(INFINITE);
}

TEST_SUITE("backend.worker_misuse") {
  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "a worker that closes its pipes costs its task and no other") {
    mp::Pool pool(2);
    for (const auto task : {close_at_three, close_and_stay_at_three}) {
      std::set<std::size_t> dead;
      for (auto& outcome : pool.imap_outcomes(task, std::views::iota(0, 20)))
        if (outcome)
          CHECK(*outcome == static_cast<int>(outcome.index()));
        else if (outcome.died() != nullptr)
          dead.insert(outcome.index());
      CHECK(dead == std::set<std::size_t>{3, 13});
      CHECK(pool.apply(task, 1) == 1);
    }
  }
}

}  // namespace backend_worker_misuse
