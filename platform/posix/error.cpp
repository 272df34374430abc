// errno to Condition: one switch for all POSIX systems. Codes that mean something else for one call
// (EAGAIN of fork, ENOSPC of epoll_ctl) are named where that call is made, by start_error or by the caller.
#include "error.hpp"

#include <cerrno>

namespace multiprocessing::platform::posix {

Condition condition_of(int native) noexcept {
  if (native == EAGAIN || native == EWOULDBLOCK) return Condition::would_block;
  if (native == ENOTSUP || native == EOPNOTSUPP) return Condition::not_supported;
  switch (native) {
    case ENOENT:
    case EADDRNOTAVAIL:
    case ENOTDIR:
    case ELOOP:
      return Condition::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
    case ETXTBSY:
      return Condition::permission_denied;
    case EEXIST:
    case EADDRINUSE:
      return Condition::already_exists;
    case ENOEXEC:
      return Condition::not_executable;
    case ETIMEDOUT:
      return Condition::timed_out;
    case ECANCELED:
      return Condition::cancelled;
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOTCONN:
      return Condition::broken;
    case EMFILE:
    case ENFILE:
    case ETOOMANYREFS:
      return Condition::out_of_handles;
    case ENOMEM:
    case ENOBUFS:
      return Condition::out_of_memory;
    case ENOSPC:
    case EDQUOT:
      return Condition::out_of_space;
    case ENAMETOOLONG:
    case E2BIG:
    case EMSGSIZE:
      return Condition::too_long;
    case EINVAL:
    case EBADF:
    case EFAULT:
    case ENOTSOCK:
      return Condition::invalid_argument;
    case ESRCH:
    case ECHILD:
      return Condition::gone;
    case EBADMSG:
    case EPROTO:
    case EILSEQ:
      return Condition::corrupt;
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return Condition::not_supported;
    default:
      return Condition::other;
  }
}

Error error_of(int native, const char* call) noexcept { return {condition_of(native), native, call}; }

Error last_error(const char* call) noexcept { return error_of(errno, call); }

Error start_error(int native, const char* call) noexcept {
  if (native == EAGAIN) return {Condition::out_of_processes, native, call};
  return error_of(native, call);
}

}  // namespace multiprocessing::platform::posix
