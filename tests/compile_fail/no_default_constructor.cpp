// expect: the child must make the object before it reads it
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*Ticket
// expect-clang: can_travel<.*argument<1>, .*member<Ticket>>
#include <multiprocessing/detail/task.hpp>

class Ticket {
 public:
  explicit Ticket(int number) : number_(number) {}
  template <class Archive>
  void serialize(Archive& archive) {
    archive(number_);
  }

 private:
  int number_;
};
void target(Ticket);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, Ticket(1));
#endif
}
