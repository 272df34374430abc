// A program whose children are not itself but a light helper beside it: another build, which starts faster
// and brings less along. What both register under one name runs there.
#include <multiprocessing/multiprocessing.hpp>

#include <filesystem>
#include <iostream>

#include "helper_tasks.hpp"

namespace mp = multiprocessing;

std::int64_t unknown_to_the_helper(std::int64_t x) { return x + 1; }

int main(int argc, char** argv) {
  mp::register_task<sum_of_squares>(sum_of_squares_name);
  mp::freeze_support(argc, argv);

  const std::filesystem::path self = argv[0];
  mp::set_executable(self.parent_path() / ("light_helper" + self.extension().string()));
  mp::Context& spawn = mp::get_context("spawn");
  std::cout << "1 + 4 + 9 = " << spawn.call(sum_of_squares, std::vector<std::int64_t>{1, 2, 3}) << std::endl;

  try {
    spawn.call(unknown_to_the_helper, 1);
  } catch (const mp::RuntimeError&) {
    std::cout << "the helper refuses what it does not know" << std::endl;
  }
}
