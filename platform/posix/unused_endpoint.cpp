// Names for listeners that were given none: a folder of this user alone below XDG_RUNTIME_DIR, TMPDIR or
// /tmp, and in it random names that begin with the process that chose them. What processes left there that
// have ended is removed on the way. Manual pages: mkdir(2), unix(7).
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "contract/crypto.hpp"
#include "contract/listener.hpp"
#include "contract/process.hpp"
#include "descriptor.hpp"
#include "error.hpp"

namespace multiprocessing::platform {
namespace {

constexpr std::string_view prefix = "listener-";
constexpr std::size_t longest_name = 64;

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr};
}

Status make_private_folder(const std::string& path) {
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) return posix::last_error("mkdir");
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0) return posix::last_error("lstat");
  // In a folder that everybody writes to somebody else may have been first.
  if (!S_ISDIR(about.st_mode) || about.st_uid != ::geteuid() || (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return Error{Condition::permission_denied, EACCES, "mkdir"};
  return {};
}

Result<std::string> private_folder() {
  Error failure{Condition::not_found, ENOENT, "mkdir"};
  const std::array<const char*, 3> parents = {std::getenv("XDG_RUNTIME_DIR"), std::getenv("TMPDIR"), "/tmp"};
  for (const char* parent : parents) {
    if (parent == nullptr || *parent != '/') continue;
    const std::string path = std::string(parent) + "/multiprocessing-" + std::to_string(::geteuid());
    if (path.size() + 1 + longest_name >= sizeof(sockaddr_un{}.sun_path)) {
      failure = {Condition::too_long, ENAMETOOLONG, "unix socket"};
      continue;
    }
    const auto made = make_private_folder(path);
    if (made) return path;
    failure = made.error();
  }
  return failure;
}

/// Who chose this name; a pid of 0 if it is none of ours.
ProcessIdentity maker_of(std::string_view name) {
  ProcessIdentity maker{};
  if (!name.starts_with(prefix)) return maker;
  const char* const end = name.data() + name.size();
  auto next = std::from_chars(name.data() + prefix.size(), end, maker.pid);
  if (next.ec != std::errc() || next.ptr == end || *next.ptr != '-') return {};
  next = std::from_chars(next.ptr + 1, end, maker.start_time, 16);
  return next.ec == std::errc() && next.ptr != end && *next.ptr == '-' ? maker : ProcessIdentity{};
}

/// A process of another pid namespace looks dead from here, and still answers. Where a full queue does not
/// answer either there are no such namespaces.
bool nobody_answers(const std::string& path) {
  const auto stream = connect_to({Endpoint::Kind::unix_socket, {}, 0, path}, Deadline::now());
  return !stream && stream.error().condition == Condition::broken;
}

/// Ends a lock that is held. Not by closing alone: a process that was forked meanwhile has a copy.
struct Unlocked {
  explicit Unlocked(int folder) noexcept : folder_(folder) {}
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  ~Unlocked() { ::flock(folder_, LOCK_UN); }

 private:
  const int folder_;
};

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

// Under the lock that listen() takes: a socket that is about to listen does not answer either.
void remove_what_was_left(const std::string& folder) {
  const auto locked = posix::open_file(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (!locked || ::flock(posix::to_fd(locked->get()), LOCK_EX | LOCK_NB) != 0) return;
  const Unlocked unlocked_at_the_end(posix::to_fd(locked->get()));
  const std::unique_ptr<DIR, CloseFolder> entries(::opendir(folder.c_str()));
  if (entries == nullptr) return;
  while (const dirent* entry = ::readdir(entries.get())) {
    const auto maker = maker_of(entry->d_name);
    if (maker.pid <= 0 || is_alive(maker)) continue;
    const std::string path = folder + "/" + entry->d_name;
    if (nobody_answers(path)) ::unlink(path.c_str());
  }
}

}  // namespace

Endpoint::Kind usual_endpoint_kind() noexcept { return Endpoint::Kind::unix_socket; }

Result<Endpoint> unused_endpoint(Endpoint::Kind kind) {
  if (kind == Endpoint::Kind::inet) return Endpoint{kind, "127.0.0.1", 0, {}};
  if (kind == Endpoint::Kind::inet6) return Endpoint{kind, "::1", 0, {}};
  if (kind == Endpoint::Kind::pipe) return Error{Condition::not_supported, 0, "named pipe"};
  auto folder = private_folder();
  if (!folder) return folder.error();
  remove_what_was_left(*folder);
  std::uint64_t number = 0;
  if (auto status = random_bytes(std::as_writable_bytes(std::span(&number, 1))); !status)
    return status.error();
  const ProcessIdentity self = current_identity();
  return Endpoint{kind,
                  {},
                  0,
                  *folder + "/" + std::string(prefix) + std::to_string(self.pid) + "-" +
                      hexadecimal(self.start_time) + "-" + hexadecimal(number)};
}

}  // namespace multiprocessing::platform
