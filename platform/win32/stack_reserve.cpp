// SetThreadStackGuarantee is each thread's own matter. The system tells an image of every thread that begins
// by the callbacks for thread-local storage, a table that linkers put together from the sections .CRT$XL*.
// https://learn.microsoft.com/windows/win32/debug/pe-format#tls-callback-functions
#include "stack_reserve.hpp"

#include <atomic>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {
namespace {

constexpr ULONG reserve_size = 64 * 1024;
std::atomic<bool> threads_reserve{false};

void reserve_here() noexcept {
  ULONG size = reserve_size;
  SetThreadStackGuarantee(&size);  // a thread with too small a stack goes without
}

void NTAPI on_thread(PVOID, DWORD reason, PVOID) {
  if (reason == DLL_THREAD_ATTACH && threads_reserve.load(std::memory_order_relaxed)) reserve_here();
}

}  // namespace

void reserve_stacks() noexcept {
  threads_reserve = true;
  reserve_here();
}

void leave_stacks_alone() noexcept { threads_reserve = false; }

}  // namespace multiprocessing::platform::win32

#if defined(_MSC_VER)
#pragma comment(linker, "/INCLUDE:_tls_used")
#pragma comment(linker, "/INCLUDE:multiprocessing_thread_callback")
#pragma const_seg(".CRT$XLM")
extern "C" const PIMAGE_TLS_CALLBACK multiprocessing_thread_callback =
    multiprocessing::platform::win32::on_thread;
#pragma const_seg()
#else
extern "C" {
extern const PIMAGE_TLS_CALLBACK multiprocessing_thread_callback;
__attribute__((section(".CRT$XLM"), used)) const PIMAGE_TLS_CALLBACK multiprocessing_thread_callback =
    multiprocessing::platform::win32::on_thread;
}
#endif
