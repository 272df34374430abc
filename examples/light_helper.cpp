// A helper: a small program that runs tasks of a larger one in its own processes. It registers what it can do
// under the names that both know, and leaves the rest to freeze_support().
#include <multiprocessing/multiprocessing.hpp>

#include <iostream>

#include "helper_tasks.hpp"

int main() {
  multiprocessing::register_task<sum_of_squares>(sum_of_squares_name);
  multiprocessing::freeze_support();  // a helper that was started by its program never gets past this
  std::cout << "I am the helper of with_helper: run that" << std::endl;
}
