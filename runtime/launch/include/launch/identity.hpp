// Names the code that a child shall run, so that another process finds the same code: by image and offset
// where both run the same build, by registered name where they do not.
#pragma once

#include <cstdint>
#include <multiprocessing/detail/task.hpp>
#include <string>

#include "contract/image.hpp"

namespace multiprocessing::runtime {

/// A detail::Target on its way. An aggregate: it travels field by field.
struct TargetRecord {
  std::string registered_name;  ///< register_task's; empty if there is none
  std::string type_name;        ///< for messages
  std::uint64_t signature = 0;  ///< of the descriptor; the child's must be the same
  platform::CodeLocation descriptor;
  bool is_object = false;  ///< the descriptor makes an object and calls its run()
  bool has_function = false;
  platform::CodeLocation function;
};

/// Throws RuntimeError if the code lies in no loaded image (generated code), and TypeError for an empty
/// target.
[[nodiscard]] TargetRecord describe_target(const detail::Target& target, std::string type_name);

/// The code in this process; images that are not loaded yet are loaded from their recorded path. Every field
/// is checked before anything is called: key, range, alignment, magic, signature. Throws RuntimeError ("… is
/// another build", "… is not registered").
[[nodiscard]] detail::Target find_target(const TargetRecord& record);

}  // namespace multiprocessing::runtime
