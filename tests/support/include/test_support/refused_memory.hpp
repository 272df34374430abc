// A test program's own memory, of which it can refuse some. Included by the one file of a program, which says
// what is refused. Where that cannot be, the program has nothing but a main() that skips it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#include "test_support/own_memory.hpp"

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace multiprocessing::test_support {

/// The program's: whether a request for so much is refused. Called by any thread; asks for no memory itself.
bool is_refused(std::size_t size) noexcept;

/// gcc sees std::free() in place of a delete, and takes it for a mistake.
inline void (*volatile give_back)(void*) = std::free;

}  // namespace multiprocessing::test_support

void* operator new(std::size_t size) {
  void* memory =
      multiprocessing::test_support::is_refused(size) ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { multiprocessing::test_support::give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { multiprocessing::test_support::give_back(memory); }

#else

int main() { return 77; }

#endif
