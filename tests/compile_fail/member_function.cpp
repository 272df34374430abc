// expect: give a member function as mp::fn<&Class::member>
#include <multiprocessing/detail/task.hpp>

struct Foo {
  int x = 0;
  void bar() {}
};

int main() {
  multiprocessing::detail::make_task<false>(multiprocessing::fn<&Foo::bar>, Foo());
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(&Foo::bar, Foo());
#endif
}
