// What a child is told about itself before it runs its target: Python's "preparation data". Under "spawn" it
// travels as the head of the bootstrap frame; a forked child has it already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "launch/identity.hpp"

namespace multiprocessing::runtime {

/// What is done for a child before it begins, where somebody can; else by the child itself. An aggregate.
struct OwnSetup {
  std::string working_directory;  ///< empty: where it is
  bool has_environment = false;
  std::vector<std::string> environment;  ///< "NAME=value"
  std::uint8_t priority = 0;             ///< a platform::PriorityClass
};

/// An aggregate: it travels field by field.
struct ChildSettings {
  std::string name;
  std::vector<std::uint32_t> lineage;  ///< numbers of this process and its ancestors: {1, 2} is "Process-1:2"
  bool daemon = false;
  bool keep_running = false;  ///< after the parent's death
  std::vector<std::byte> authkey;
  std::uint8_t log_level = 0;
  bool log_to_stderr = false;
  std::string start_method;  ///< the child's default
  std::string executable;    ///< set_executable's; empty: this program
  std::vector<std::string> executable_prefix;
  int parent_pid = 0;
  std::uint64_t parent_start_time = 0;
  std::string parent_name;
  std::uint64_t memory_limit = 0;  ///< bytes; 0: none
  bool wants_result = false;       ///< the parent waits for what the target returns
  OwnSetup setup;
  TargetRecord target;
};

}  // namespace multiprocessing::runtime
