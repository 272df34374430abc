// Python's set_forkserver_preload takes names and says TypeError to numbers; here what is no function is
// refused by the compiler.
// expect-gcc: no matching function for call to
// expect-clang: no matching function for call to 'set_forkserver_preload'
// expect: invocable
#include <multiprocessing/context.hpp>

void prepare() {}

int main() {
  multiprocessing::set_forkserver_preload(prepare, [] {});
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::set_forkserver_preload(1, 2, 3);
#endif
}
