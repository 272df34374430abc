// A program without the library, to measure what linking it costs every child.
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  // What a program of this size uses of the standard library anyway.
  std::map<std::string, std::vector<int>> words;
  for (int i = 0; i < argc; ++i) words[argv[i]].push_back(i);
  std::function<void()> idle = [] {};
  if (words.size() > 100) std::thread(idle).join();
  std::cout << std::flush;
}
