// Handles: CloseHandle and DuplicateHandle. A duplicate has the same rights, and like every handle of this
// backend it is not inheritable. Pseudo handles (of this process and thread) are not accepted: a duplicate of
// "no handle" would be one of this very process.
#include "contract/handle.hpp"

#include "contract/fault.hpp"
#include "win32.hpp"

namespace multiprocessing::platform {

using namespace win32;

void close_handle(RawHandle handle) noexcept {
  if (is_kernel_handle(handle)) CloseHandle(native(handle));
}

Result<RawHandle> duplicate_handle(RawHandle handle) noexcept {
  if (const auto fault = fault_point(Call::duplicate_handle)) return *fault;
  if (!is_kernel_handle(handle)) return mistake("DuplicateHandle");
  HANDLE copy = nullptr;
  const HANDLE self = GetCurrentProcess();
  if (!DuplicateHandle(self, native(handle), self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
    return last_error("DuplicateHandle");
  }
  return raw(copy);
}

}  // namespace multiprocessing::platform
