// Listening and connecting with stream sockets. A unix socket is made with mode 0600. Its file outlives a
// process that was killed: who finds one that nobody listens on replaces it, where the system tells such a
// one from one whose queue is full. Where it does not, connecting to a full queue is refused too. From the
// look at it until somebody listens the folder is locked (it can be, like a file), so that of two that want
// one name at the same moment one gets it. Both ends of a connection know it by the path without links, since
// a name may mean another file in another folder. Manual pages: socket(7), unix(7), ip(7), ipv6(7), flock(2),
// realpath(3).
#include "contract/listener.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/capabilities.hpp"
#include "contract/fault.hpp"
#include "contract/process.hpp"
#include "descriptor.hpp"
#include "endpoint.hpp"
#include "error.hpp"
#include "os_calls.hpp"
#include "stream.hpp"

namespace multiprocessing::platform {
namespace {

using posix::SocketAddress;
using posix::to_fd;

constexpr Error closed{Condition::invalid_argument, EBADF, "accept"};
// How often a unix socket is asked again whose queue is full, or a folder that is locked: nothing tells when
// it is not.
constexpr std::chrono::milliseconds between_tries{5};
// Others hold it for as long as a few system calls take.
constexpr std::chrono::seconds longest_wait_for_folder{1};

void set_option(int fd, int level, int option) noexcept {
  const int on = 1;
  ::setsockopt(fd, level, option, &on, sizeof on);
}

bool is_interrupted_accept(int code) noexcept {
  // The peer went away before it was accepted; on Linux other errors of its network come this way too.
  return code == ECONNABORTED || code == EPROTO || code == EHOSTUNREACH || code == ENETUNREACH ||
         code == ENETDOWN || code == ECONNRESET;
}

Status wait_before_next_try(Deadline deadline, const Wakeup* wakeup) noexcept {
  const auto pause = Deadline::after(between_tries);
  const auto waited = posix::wait_for_stream(-1, 0, pause < deadline ? pause : deadline, wakeup);
  if (!waited && waited.error().condition == Condition::timed_out && !deadline.expired()) return {};
  return waited;
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// The lock on the folder of a unix socket. Anybody who reads the folder can hold it: who does not get it in
/// time replaces nothing.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path) {
    auto folder = posix::open_file(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY);
    if (!folder) return;
    const int fd = to_fd(folder->get());
    const auto deadline = Deadline::after(longest_wait_for_folder);
    while (posix::retried([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) != 0)
      if (errno != EWOULDBLOCK || !wait_before_next_try(deadline, nullptr)) return;
    folder_ = *std::move(folder);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  // Not by closing alone: a process that was forked meanwhile has a copy.
  ~FolderLock() {
    if (folder_) ::flock(to_fd(folder_.get()), LOCK_UN);
  }
  [[nodiscard]] bool held() const noexcept { return static_cast<bool>(folder_); }

 private:
  Handle folder_;
};

bool is_socket_file(const std::string& path) noexcept {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0 && S_ISSOCK(about.st_mode);
}

/// Whether nobody listens on that socket any more. Where the system does not tell, somebody may.
bool is_abandoned(const SocketAddress& address) {
  if (!capabilities().tells_abandoned) return false;
  const auto probe = posix::make_socket(AF_UNIX);
  if (!probe || !posix::set_non_blocking(to_fd(probe->get()))) return false;
  return ::connect(to_fd(probe->get()), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

/// Without links, from the root on; as it was given where nobody can tell.
std::string without_links(const std::string& path) {
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  return real == nullptr ? path : std::string(real.get());
}

Status bind_path(int fd, const SocketAddress& address, const std::string& path, const FolderLock& lock) {
  (void)::fchmod(fd, S_IRUSR | S_IWUSR);  // Linux makes the file so; others are told below
  if (::bind(fd, address.get(), address.size) != 0) {
    const auto failure = posix::last_error("bind");
    if (failure.native != EADDRINUSE || !is_socket_file(path)) return failure;
    if (!lock.held() || !is_abandoned(address)) return failure;
    ::unlink(path.c_str());
    if (::bind(fd, address.get(), address.size) != 0) return posix::last_error("bind");
  }
  (void)::chmod(path.c_str(), S_IRUSR | S_IWUSR);
  return {};
}

Status bind_port(int fd, const SocketAddress& address) {
  set_option(fd, SOL_SOCKET, SO_REUSEADDR);
  if (address.family() == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (::bind(fd, address.get(), address.size) != 0) return posix::last_error("bind");
  return {};
}

Status finish_connecting(int fd, Deadline deadline, const Wakeup* wakeup) noexcept {
  if (auto status = posix::wait_for_stream(fd, POLLOUT, deadline, wakeup); !status) return status;
  int failure = 0;
  socklen_t size = sizeof failure;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0) return posix::last_error("getsockopt");
  if (failure != 0) return posix::error_of(failure, "connect");
  return {};
}

Status connect_socket(int fd, const SocketAddress& address, Deadline deadline, const Wakeup* wakeup) {
  for (;;) {
    if (::connect(fd, address.get(), address.size) == 0) return {};
    if (errno == EINPROGRESS || errno == EINTR) return finish_connecting(fd, deadline, wakeup);
    if (errno != EAGAIN || address.family() != AF_UNIX) return posix::last_error("connect");
    if (auto status = wait_before_next_try(deadline, wakeup); !status) return status;
  }
}

Status set_blocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags == -1 || ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1) return posix::last_error("fcntl");
  return {};
}

}  // namespace

class Listener::State {
 public:
  State(Handle socket, Endpoint address)
      : socket_(std::move(socket)), address_(std::move(address)), file_path_(without_links(address_.path)) {
    remember_file();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(); }

  [[nodiscard]] int fd() const noexcept { return to_fd(socket_.get()); }
  [[nodiscard]] const Endpoint& address() const noexcept { return address_; }

  void close() noexcept {
    if (!socket_) return;
    if (is_still_ours()) ::unlink(file_path_.c_str());
    socket_.reset();
  }

  [[nodiscard]] Result<ConnectedStream> accept() const {
    if (!socket_) return closed;
    SocketAddress peer;
    for (;;) {
      auto taken = posix::accept_socket(fd(), peer);
      if (taken) {
        auto stream = posix::to_stream(*std::move(taken));
        if (stream && !file_path_.empty()) stream->local.path = file_path_;
        return stream;
      }
      if (!is_interrupted_accept(taken.error().native)) return taken.error();
    }
  }

 private:
  void remember_file() noexcept {
    struct stat about {};
    if (address_.kind != Endpoint::Kind::unix_socket || ::lstat(file_path_.c_str(), &about) != 0) return;
    device_ = about.st_dev;
    file_ = about.st_ino;
  }
  // Another process may have made a socket under the same name, and a child by fork does not own ours.
  [[nodiscard]] bool is_still_ours() const noexcept {
    struct stat about {};
    return file_ != 0 && maker_ == current_pid() && ::lstat(file_path_.c_str(), &about) == 0 &&
           about.st_dev == device_ && about.st_ino == file_;
  }

  Handle socket_;
  Endpoint address_;
  std::string file_path_;  ///< of a unix socket; stays when the working directory changes
  int maker_ = current_pid();
  dev_t device_ = 0;
  ino_t file_ = 0;
};

Listener::Listener(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() = default;
const Endpoint& Listener::address() const noexcept { return state_->address(); }
RawHandle Listener::acceptable() const noexcept { return state_ ? state_->fd() : no_handle; }
void Listener::close() noexcept {
  if (state_) state_->close();
}

Result<Listener> Listener::listen(const Endpoint& endpoint, int queue) {
  if (auto failure = fault_point(Call::listener_listen)) return *failure;
  const auto address = posix::to_socket_address(endpoint);
  if (!address) return address.error();
  auto socket = posix::make_socket(address->family());
  if (!socket) return socket.error();
  const int fd = to_fd(socket->get());
  if (auto status = posix::set_non_blocking(fd); !status) return status.error();
  const bool by_path = address->family() == AF_UNIX;
  std::optional<FolderLock> lock;
  if (by_path) lock.emplace(endpoint.path);
  const auto bind = by_path ? bind_path(fd, *address, endpoint.path, *lock) : bind_port(fd, *address);
  if (!bind) return bind.error();
  Endpoint bound = by_path ? endpoint : posix::local_endpoint(fd);
  // From here on its end removes the file.
  auto state = std::make_unique<State>(*std::move(socket), std::move(bound));
  if (::listen(fd, std::clamp(queue, 1, SOMAXCONN)) != 0) return posix::last_error("listen");
  return Listener(std::move(state));
}

Result<ConnectedStream> Listener::accept() {
  if (auto failure = fault_point(Call::listener_accept)) return *failure;
  if (!state_) return closed;
  return state_->accept();
}

Result<ConnectedStream> Listener::accept(Deadline deadline, const Wakeup* wakeup) {
  if (auto failure = fault_point(Call::listener_accept)) return *failure;
  if (!state_) return closed;
  for (;;) {
    auto taken = state_->accept();
    if (taken || taken.error().condition != Condition::would_block) return taken;
    if (auto status = posix::wait_for_stream(state_->fd(), POLLIN, deadline, wakeup); !status)
      return status.error();
  }
}

Result<ConnectedStream> connect_to(const Endpoint& endpoint, Deadline deadline, const Wakeup* wakeup) {
  if (auto failure = fault_point(Call::connect)) return *failure;
  Endpoint wanted = endpoint;
  if (endpoint.kind == Endpoint::Kind::unix_socket) wanted.path = without_links(endpoint.path);
  // A path without links may be too long for the system where one with them is not.
  auto address = posix::to_socket_address(wanted);
  if (!address) address = posix::to_socket_address(endpoint);
  if (!address) return address.error();
  auto socket = posix::make_socket(address->family());
  if (!socket) return socket.error();
  const int fd = to_fd(socket->get());
  if (auto status = posix::set_non_blocking(fd); !status) return status.error();
  if (auto status = connect_socket(fd, *address, deadline, wakeup); !status) return status.error();
  if (auto status = set_blocking(fd); !status) return status.error();
  auto stream = posix::to_stream(*std::move(socket));
  // Looked for again: the file may have come into being while the connection was tried; or it is gone by now.
  if (stream && address->family() == AF_UNIX) {
    stream->peer.path = without_links(endpoint.path);
    if (stream->peer.path == endpoint.path) stream->peer.path = wanted.path;
  }
  // TCP connects a port to itself if it is the one it picks to connect from.
  if (stream && stream->local == stream->peer && address->family() != AF_UNIX)
    return posix::error_of(ECONNREFUSED, "connect");
  return stream;
}

}  // namespace multiprocessing::platform
