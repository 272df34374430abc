// expect: the target cannot be called with these arguments
#include <multiprocessing/detail/task.hpp>

struct Square {
  template <class T>
  requires requires(T value) { value* value; }
  T operator()(T value) const { return value * value; }
};

int main() {
  multiprocessing::detail::make_task<true>(Square(), 3);
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<true>(Square(), "three");
#endif
}
