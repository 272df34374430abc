// A pool that survives its workers: a function that crashes, throws or never returns costs one task.
#include <multiprocessing/multiprocessing.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

/// A parser with three faults.
int parse(const std::string& text) {
  if (text == "leave") mp::exit(3);
  if (text == "wait") mp::connection::wait({mp::parent_process()->sentinel()});
  return std::stoi(text);
}

int square(int x) { return x * x; }

std::string describe(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const mp::WorkerDied& died) {
    return "its worker died: " + died.reason();
  } catch (const mp::TimeoutError&) {
    return "it took too long";
  } catch (const std::invalid_argument&) {
    return "no number";
  }
}

int main() {
  mp::freeze_support();
  mp::Pool pool(2);

  const std::vector<std::string> texts = {"1", "leave", "22", "many", "wait", "333"};
  for (auto& outcome : pool.imap_outcomes(parse, texts, {.ordered = true, .task = {.timeout = 10s}})) {
    std::cout << texts[outcome.index()] << ": ";
    if (outcome)
      std::cout << *outcome << std::endl;
    else
      std::cout << describe(outcome.error()) << std::endl;
  }

  // The pool is as large as before, and works on.
  int sum = 0;
  for (const int x : pool.map(square, std::array{1, 2, 3})) sum += x;
  std::cout << pool.processes() << " workers, sum of squares " << sum << std::endl;

  // A task whose worker died may be run again.
  auto [ours, theirs] = mp::Pipe();
  static mp::Connection* line = nullptr;
  mp::Pool patient(1, {.initializer = {[](mp::Connection end) { line = new mp::Connection(std::move(end)); },
                                       std::move(theirs)},
                       .retries = 1});
  const auto result = patient.apply_async(
      [](std::string word) {
        line->send(true);
        if (!line->recv<bool>()) mp::exit(1);
        return word + ", at last";
      },
      "done");
  for (const bool let_it_be : {false, true}) {
    ours.recv<bool>();
    ours.send(let_it_be);
  }
  std::cout << result.get() << std::endl;
}
