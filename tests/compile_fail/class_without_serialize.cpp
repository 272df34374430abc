// expect: give the class serialize\(\), or save\(\) and load\(\)
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*Account
// expect-clang: can_travel<.*argument<1>, .*member<Account>>
#include <multiprocessing/detail/task.hpp>

#include <vector>

class Account {
 public:
  Account() = default;
  explicit Account(int balance) : balance_(balance) {}
  int balance() const { return balance_; }

 private:
  int balance_ = 0;
};
void target(std::vector<Account>);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, std::vector<Account>());
#endif
}
