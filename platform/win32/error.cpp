// Native codes of Windows as Conditions. GetLastError() is the only source of codes in this backend; codes
// that are not listed are `other`, and keep their number for people. ERROR_NO_DATA is what a writer gets
// once the reader of a pipe is gone. A refusal for want of kernel pool says memory, not handles: the
// limit on handles (16 million) is not met before it.
#include "contract/error.hpp"

#include <algorithm>
#include <iterator>

#include "win32.hpp"

#include <winsock2.h>

namespace multiprocessing::platform::win32 {
namespace {

struct Translation {
  DWORD code;
  Condition condition;
};

// Not in every version of the headers.
constexpr DWORD virus_infected = 225;
constexpr DWORD elevation_required = 740;

constexpr Translation translations[] = {
    {ERROR_FILE_NOT_FOUND, Condition::not_found},
    {ERROR_PATH_NOT_FOUND, Condition::not_found},
    {ERROR_INVALID_DRIVE, Condition::not_found},
    {ERROR_BAD_NETPATH, Condition::not_found},
    {ERROR_BAD_NET_NAME, Condition::not_found},
    {ERROR_INVALID_NAME, Condition::not_found},
    {ERROR_MOD_NOT_FOUND, Condition::not_found},
    {ERROR_BAD_PATHNAME, Condition::not_found},
    {ERROR_ENVVAR_NOT_FOUND, Condition::not_found},
    {ERROR_DIRECTORY, Condition::not_found},
    {ERROR_NOT_FOUND, Condition::not_found},
    {ERROR_ACCESS_DENIED, Condition::permission_denied},
    {ERROR_SHARING_VIOLATION, Condition::permission_denied},
    {ERROR_NETWORK_ACCESS_DENIED, Condition::permission_denied},
    {ERROR_PRIVILEGE_NOT_HELD, Condition::permission_denied},
    {elevation_required, Condition::permission_denied},
    {ERROR_ACCESS_DISABLED_BY_POLICY, Condition::permission_denied},
    {virus_infected, Condition::permission_denied},
    {ERROR_FILE_EXISTS, Condition::already_exists},
    {ERROR_ALREADY_EXISTS, Condition::already_exists},
    {ERROR_BAD_FORMAT, Condition::not_executable},
    {ERROR_BAD_EXE_FORMAT, Condition::not_executable},
    {ERROR_INVALID_EXE_SIGNATURE, Condition::not_executable},
    {ERROR_EXE_MARKED_INVALID, Condition::not_executable},
    {ERROR_EXE_MACHINE_TYPE_MISMATCH, Condition::not_executable},
    {ERROR_IO_PENDING, Condition::would_block},
    {ERROR_IO_INCOMPLETE, Condition::would_block},
    {ERROR_PIPE_BUSY, Condition::would_block},
    {ERROR_SEM_TIMEOUT, Condition::timed_out},
    {WAIT_TIMEOUT, Condition::timed_out},
    {ERROR_TIMEOUT, Condition::timed_out},
    {ERROR_OPERATION_ABORTED, Condition::cancelled},
    {ERROR_CANCELLED, Condition::cancelled},
    {ERROR_HANDLE_EOF, Condition::broken},
    {ERROR_BROKEN_PIPE, Condition::broken},
    {ERROR_NO_DATA, Condition::broken},
    {ERROR_PIPE_NOT_CONNECTED, Condition::broken},
    {ERROR_TOO_MANY_OPEN_FILES, Condition::out_of_handles},
    {ERROR_NO_MORE_USER_HANDLES, Condition::out_of_handles},
    {ERROR_NO_PROC_SLOTS, Condition::out_of_processes},
    {ERROR_MAX_THRDS_REACHED, Condition::out_of_processes},
    {ERROR_NOT_ENOUGH_MEMORY, Condition::out_of_memory},
    {ERROR_OUTOFMEMORY, Condition::out_of_memory},
    {ERROR_NO_SYSTEM_RESOURCES, Condition::out_of_memory},
    {ERROR_NONPAGED_SYSTEM_RESOURCES, Condition::out_of_memory},
    {ERROR_PAGED_SYSTEM_RESOURCES, Condition::out_of_memory},
    {ERROR_WORKING_SET_QUOTA, Condition::out_of_memory},
    {ERROR_PAGEFILE_QUOTA, Condition::out_of_memory},
    {ERROR_COMMITMENT_LIMIT, Condition::out_of_memory},
    {ERROR_NOT_ENOUGH_QUOTA, Condition::out_of_memory},
    {ERROR_HANDLE_DISK_FULL, Condition::out_of_space},
    {ERROR_DISK_FULL, Condition::out_of_space},
    {ERROR_BUFFER_OVERFLOW, Condition::too_long},
    {ERROR_FILENAME_EXCED_RANGE, Condition::too_long},
    {ERROR_INVALID_HANDLE, Condition::invalid_argument},
    {ERROR_INVALID_PARAMETER, Condition::invalid_argument},
    {ERROR_NO_UNICODE_TRANSLATION, Condition::invalid_argument},
    {WSAEADDRINUSE, Condition::already_exists},
    {WSAEADDRNOTAVAIL, Condition::not_found},
    {WSAHOST_NOT_FOUND, Condition::not_found},
    {WSATRY_AGAIN, Condition::not_found},
    {WSANO_DATA, Condition::not_found},
    {WSAEACCES, Condition::permission_denied},
    {WSAEWOULDBLOCK, Condition::would_block},
    {WSAETIMEDOUT, Condition::timed_out},
    {WSAECONNREFUSED, Condition::broken},
    {WSAECONNRESET, Condition::broken},
    {WSAECONNABORTED, Condition::broken},
    {WSAENETRESET, Condition::broken},
    {WSAENETUNREACH, Condition::broken},
    {WSAEHOSTUNREACH, Condition::broken},
    {WSAENOTCONN, Condition::broken},
    {WSAESHUTDOWN, Condition::broken},
    {WSAEMFILE, Condition::out_of_handles},
    {WSAENOBUFS, Condition::out_of_memory},
    {WSAEINVAL, Condition::invalid_argument},
    {WSAENOTSOCK, Condition::invalid_argument},
    {WSAEAFNOSUPPORT, Condition::not_supported},
    {ERROR_PROCESS_ABORTED, Condition::gone},
    {ERROR_INVALID_FUNCTION, Condition::not_supported},
    {ERROR_NOT_SUPPORTED, Condition::not_supported},
    {ERROR_CALL_NOT_IMPLEMENTED, Condition::not_supported},
};

}  // namespace

Condition condition_of(DWORD code) noexcept {
  const auto* found = std::find_if(std::begin(translations), std::end(translations),
                                   [code](const Translation& row) { return row.code == code; });
  return found != std::end(translations) ? found->condition : Condition::other;
}

Error error_of(DWORD code, const char* call) noexcept {
  return {condition_of(code), static_cast<int>(code), call};
}

Error last_error(const char* call) noexcept { return error_of(GetLastError(), call); }

}  // namespace multiprocessing::platform::win32
