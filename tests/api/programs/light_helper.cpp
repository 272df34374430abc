// A helper that runs tasks of another program: it is another build, and knows them by name.
#include <multiprocessing/multiprocessing.hpp>

#include "helper_program.hpp"

namespace {

long other_parameters(long x, long y) { return x + y; }

}  // namespace

int main(int argc, char** argv) {
  multiprocessing::register_task<shared_task>("shared task");
  multiprocessing::register_task<other_parameters>("other parameters");
  multiprocessing::freeze_support(argc, argv);
  return 8;
}
