// Standard streams, priorities and consoles, for a child or for this process itself.
#include "launch_parts.hpp"

namespace multiprocessing::platform::win32 {
namespace {

Result<Handle> duplicate(HANDLE source, BOOL inheritable) noexcept {
  HANDLE copy = nullptr;
  const HANDLE self = GetCurrentProcess();
  if (!DuplicateHandle(self, source, self, &copy, 0, inheritable, DUPLICATE_SAME_ACCESS)) {
    return last_error("DuplicateHandle");
  }
  return Handle(raw(copy));
}

Result<Handle> open_null_device(std::size_t stream, BOOL inheritable) noexcept {
  SECURITY_ATTRIBUTES attributes = {sizeof(SECURITY_ATTRIBUTES), nullptr, inheritable};
  const DWORD access =
      stream == 0 ? GENERIC_READ | FILE_WRITE_ATTRIBUTES : GENERIC_WRITE | FILE_READ_ATTRIBUTES;
  const HANDLE null =
      CreateFileW(L"NUL", access, FILE_SHARE_READ | FILE_SHARE_WRITE, &attributes, OPEN_EXISTING, 0, nullptr);
  if (raw(null) == no_handle) return last_error("CreateFileW(NUL)");
  return Handle(raw(null));
}

}  // namespace

Result<Handle> open_stream(const StreamBinding& binding, std::size_t stream, BOOL inheritable) noexcept {
  if (binding.source == StreamBinding::Source::null) return open_null_device(stream, inheritable);
  if (binding.source == StreamBinding::Source::handle) {
    if (!is_kernel_handle(binding.handle)) return mistake("StreamBinding");
    return duplicate(native(binding.handle), inheritable);
  }
  const HANDLE own = GetStdHandle(standard_streams[stream]);
  if (!is_kernel_handle(raw(own))) return Handle();
  auto copy = duplicate(own, inheritable);
  if (!copy && copy.error().condition == Condition::invalid_argument)
    return Handle();  // closed behind our back
  return copy;
}

DWORD priority_flags(PriorityClass priority) noexcept {
  if (priority == PriorityClass::background) return IDLE_PRIORITY_CLASS;
  return priority == PriorityClass::below_normal ? BELOW_NORMAL_PRIORITY_CLASS : 0;
}

bool has_console() noexcept {
  const Handle console(
      raw(CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
                      OPEN_EXISTING, 0, nullptr)));
  return static_cast<bool>(console);
}

}  // namespace multiprocessing::platform::win32
