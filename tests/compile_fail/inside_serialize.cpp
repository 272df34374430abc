// expect: a pointer means nothing in another process
// expect-gcc: deleted function .*cannot_travel.*inside_serialize.*int\*
// expect-clang: can_travel<.*inside_serialize, .*member<int \*>>
#include <multiprocessing/detail/task.hpp>

struct Careless {
  int* pointer = nullptr;
  template <class Archive>
  void serialize(Archive& archive) {
#if !defined(MULTIPROCESSING_CONTROL)
    archive(pointer);
#else
    archive(*pointer);
#endif
  }
};
void target(Careless) {}

int main() { multiprocessing::detail::make_task<false>(target, Careless()); }
