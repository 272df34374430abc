// A Python program, with what it imports for connections, that a test starts and reads lines from.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "test_support/listener.hpp"

namespace backend_python {

inline bool python_is_missing() {
  static const bool missing = std::system("python3 -c 'import multiprocessing.connection' 2>/dev/null") != 0;
  if (missing) multiprocessing::test_support::skip("there is no Python with multiprocessing");
  return missing;
}

/// A Python program that can be read from.
class Script {
 public:
  explicit Script(const std::string& text) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const std::string program =
        "from multiprocessing.connection import Client, Listener\n"
        "from multiprocessing import AuthenticationError\n" +
        text;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], 1);
      execlp("python3", "python3", "-c", program.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;
  ~Script() {
    if (pid_ > 0) static_cast<void>(end());
    std::fclose(output_);
  }
  std::string line() {
    char text[1024] = "";
    if (std::fgets(text, sizeof text, output_) == nullptr) return {};
    std::string read(text);
    while (!read.empty() && read.back() == '\n') read.pop_back();
    return read;
  }
  int end() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
};

}  // namespace backend_python
