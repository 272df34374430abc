// A helper that runs tasks of another program: it is another build, and knows them by name.
#include <multiprocessing/multiprocessing.hpp>

#include "helper_program.hpp"

int main(int argc, char** argv) {
  multiprocessing::register_task<shared_task>("shared task");
  multiprocessing::freeze_support(argc, argv);
  return 8;
}
