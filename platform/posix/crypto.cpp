// Random bytes from the kernel: getentropy(), which gives at most 256 at once; where it is refused
// ("no-getentropy"), /dev/urandom. Manual pages: getentropy(3), urandom(4).
#include "contract/crypto.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "contract/fault.hpp"
#include "descriptor.hpp"

namespace multiprocessing::platform {
namespace {

constexpr std::size_t at_once = 256;

Error failure_of(const char* call) noexcept { return {Condition::other, errno, call}; }

Status read_device(std::span<std::byte> buffer) noexcept {
  const auto device = posix::open_file("/dev/urandom", O_RDONLY);
  if (!device) return Error{Condition::other, device.error().native, "open"};
  while (!buffer.empty()) {
    const auto size =
        posix::retried([&] { return ::read(posix::to_fd(device->get()), buffer.data(), buffer.size()); });
    if (size <= 0) return failure_of("read");
    buffer = buffer.subspan(static_cast<std::size_t>(size));
  }
  return {};
}

}  // namespace

Status random_bytes(std::span<std::byte> buffer) noexcept {
  if (auto failure = fault_point(Call::random_bytes)) return *failure;
  if (forced("no-getentropy")) return read_device(buffer);
  while (!buffer.empty()) {
    const std::size_t size = std::min(buffer.size(), at_once);
    if (::getentropy(buffer.data(), size) != 0)
      return errno == ENOSYS ? read_device(buffer) : failure_of("getentropy");
    buffer = buffer.subspan(size);
  }
  return {};
}

}  // namespace multiprocessing::platform
