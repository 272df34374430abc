// A group of processes that succeed or fail together, and what is told of the one that failed.
#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <stdexcept>
#include <string>
#include <tuple>

namespace mp = multiprocessing;

void train(int rank, std::string model) {
  if (rank < 0) throw std::logic_error("no such rank: " + model);
}

double quotient(double dividend, int divisor) {
  if (divisor == 0) throw std::domain_error("division by zero");
  return dividend / divisor;
}
void divide_by_rank(int rank, double dividend) { std::cout << quotient(dividend, rank) << std::endl; }

void leave_with_rank(int rank) { mp::exit(rank); }

int main() {
  mp::freeze_support();

  const bool all_ended = mp::spawn(train, std::tuple(std::string("small")), {.nprocs = 3}).join();
  std::cout << "train: " << (all_ended ? "all have ended" : "some still run") << std::endl;

  try {
    mp::spawn(divide_by_rank, std::tuple(1.0), {.nprocs = 1});
  } catch (const mp::ProcessRaisedException& e) {
    std::cout << "process " << e.error_index() << " threw " << e.type_name() << ": " << e.message()
              << std::endl;
    const bool traced = std::string(e.what()).find("divide_by_rank") != std::string::npos;
    std::cout << "the trace " << (traced ? "names" : "does not name") << " the function that threw"
              << std::endl;
  }

  try {
    mp::spawn(leave_with_rank, {.nprocs = 2});
  } catch (const mp::ProcessExitedException& e) {
    std::cout << "process " << e.error_index() << " left with exit code " << e.exit_code() << std::endl;
  }
}
