// A test program's own memory, so that it can be used up without waiting. Included by the one file of a
// program, which says what is refused. Under a sanitizer, which has an operator new already, the program has
// nothing but a main() that skips it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define MULTIPROCESSING_TEST_OWN_MEMORY 0
#endif
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define MULTIPROCESSING_TEST_OWN_MEMORY 0
#endif
#if !defined(MULTIPROCESSING_TEST_OWN_MEMORY)
#define MULTIPROCESSING_TEST_OWN_MEMORY 1
#endif

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace multiprocessing::test_support {

/// The program's: whether a request for so much is refused. Called by any thread; asks for no memory itself.
bool is_refused(std::size_t size) noexcept;

}  // namespace multiprocessing::test_support

void* operator new(std::size_t size) {
  void* memory =
      multiprocessing::test_support::is_refused(size) ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#else

int main() { return 77; }

#endif
