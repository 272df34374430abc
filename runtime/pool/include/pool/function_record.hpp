// How the code of tasks is named to workers.
#pragma once

#include <cstdint>
#include <multiprocessing/detail/task.hpp>

#include "launch/identity.hpp"

namespace multiprocessing::runtime {

/// An aggregate: it travels field by field. A forked worker is a copy of the process that sends this, and
/// takes the addresses of code in the program itself as they are. It must not ask the loader: another thread
/// of its parent may have held the loader's lock when it was forked.
struct FunctionRecord {
  TargetRecord target;
  bool in_program = false;
  std::uint64_t descriptor = 0;
  std::uint64_t function = 0;

  [[nodiscard]] detail::Target here() const noexcept {
    return {reinterpret_cast<const detail::TaskDescriptor*>(static_cast<std::uintptr_t>(descriptor)),
            reinterpret_cast<const void*>(static_cast<std::uintptr_t>(function))};
  }
};

}  // namespace multiprocessing::runtime
