// One function call in a process of its own, with its result: at once, later, or as an exception.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace mp = multiprocessing;

std::map<std::string, int> count_words(std::string text) {
  std::map<std::string, int> counts;
  std::istringstream in(text);
  for (std::string word; in >> word;) ++counts[word];
  return counts;
}

int parse(std::string text) { return std::stoi(text); }

void leave() { mp::exit(4); }

int main() {
  mp::freeze_support();

  for (const auto& [word, count] : mp::call(count_words, "to be or not to be"))
    std::cout << word << ' ' << count << std::endl;

  std::vector<mp::Future<int>> numbers;
  for (const char* text : {"1", "2", "three"}) numbers.push_back(mp::call_async(parse, text));
  for (const mp::Future<int>& number : numbers) {
    try {
      const int value = number.result();
      std::cout << "parsed " << value << std::endl;
    } catch (const std::invalid_argument&) {
      std::cout << "not a number" << std::endl;
    }
  }

  try {
    mp::call(leave);
  } catch (const mp::ProcessExitedException& e) {
    std::cout << "left with " << e.exit_code() << std::endl;
  }
}
