// A process class of one's own: it carries its members to the child and overrides run().
#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

class Choir : public mp::ProcessOf<Choir> {
 public:
  Choir() = default;  // the child makes one, then reads its members
  explicit Choir(std::vector<std::string> singers) : singers_(std::move(singers)) {}

  void run() override {
    for (const std::string& singer : singers_) std::cout << singer << " sings in " << name() << std::endl;
  }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(singers_);
  }

 private:
  std::vector<std::string> singers_;
};

int main() {
  mp::freeze_support();
  Choir choir({"alto", "bass"});
  choir.set_name("choir");
  choir.start();
  choir.join();
  std::cout << "exitcode " << choir.exitcode().value() << std::endl;
}
