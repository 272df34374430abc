// expect: behind a pointer to a base class the rest of the object would be cut off
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*unique_ptr<Shape>
// expect-clang: can_travel<.*argument<1>, .*member<std::unique_ptr<Shape.*>>>
#include <multiprocessing/detail/task.hpp>

#include <memory>

struct Shape {
  virtual ~Shape() = default;
  template <class Archive>
  void serialize(Archive&) {}
};
void target(std::unique_ptr<Shape>);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, std::make_unique<Shape>());
#endif
}
