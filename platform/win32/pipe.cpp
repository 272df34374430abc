// Named pipes with one instance: the server's end is made under a name of 128 random bits, with a DACL that
// grants this user alone and with remote clients refused; then we open the one client's end ourselves, and no
// third end can ever be opened. The client lets the server only identify, not impersonate it.
#include "pipe.hpp"

#include <winternl.h>

#include <array>
#include <cstdint>
#include <vector>

#include "random.hpp"

namespace multiprocessing::platform::win32 {
namespace {

/// A security descriptor that grants everything to the user this process runs as, and nothing to others.
class OnlyThisUser {
 public:
  [[nodiscard]] static const OnlyThisUser& instance() {
    static const OnlyThisUser only;
    return only;
  }
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  /// Valid while this object lives.
  [[nodiscard]] SECURITY_ATTRIBUTES attributes() const noexcept {
    return {sizeof(SECURITY_ATTRIBUTES), const_cast<SECURITY_DESCRIPTOR*>(&descriptor_), FALSE};
  }

 private:
  OnlyThisUser() : status_(build()) {}

  Status build() {
    if (auto status = read_user(); !status) return status;
    const PSID sid = reinterpret_cast<TOKEN_USER*>(user_.data())->User.Sid;
    const DWORD size = static_cast<DWORD>(sizeof(ACL) + sizeof(ACCESS_ALLOWED_ACE)) + GetLengthSid(sid);
    list_.resize(size);
    const auto list = reinterpret_cast<ACL*>(list_.data());
    if (!InitializeAcl(list, size, ACL_REVISION) ||
        !AddAccessAllowedAce(list, ACL_REVISION, GENERIC_ALL, sid) ||
        !InitializeSecurityDescriptor(&descriptor_, SECURITY_DESCRIPTOR_REVISION) ||
        !SetSecurityDescriptorDacl(&descriptor_, TRUE, list, FALSE)) {
      return last_error("AddAccessAllowedAce");
    }
    return {};
  }

  Status read_user() {
    HANDLE opened = nullptr;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &opened)) return last_error("OpenProcessToken");
    const Handle token(raw(opened));
    DWORD size = 0;
    GetTokenInformation(opened, TokenUser, nullptr, 0, &size);
    user_.resize(size);
    if (!GetTokenInformation(opened, TokenUser, user_.data(), size, &size))
      return last_error("GetTokenInformation");
    return {};
  }

  std::vector<std::byte> user_;
  std::vector<std::byte> list_;
  SECURITY_DESCRIPTOR descriptor_ = {};
  Status status_;
};

/// Lives as long as the process.
HANDLE keeper_port() noexcept {
  static const HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
  return port;
}

// Of FILE_ACCESS_INFORMATION and FILE_MODE_INFORMATION, which winternl.h does not declare.
const auto file_access_information = static_cast<FILE_INFORMATION_CLASS>(8);
const auto file_mode_information = static_cast<FILE_INFORMATION_CLASS>(16);
constexpr ULONG synchronous_modes = 0x10 | 0x20;  // FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT

}  // namespace

Result<SECURITY_ATTRIBUTES> only_this_user() {
  const auto& security = OnlyThisUser::instance();
  if (!security.status()) return security.status().error();
  return security.attributes();
}

Result<std::wstring> random_digits() {
  std::array<std::byte, 16> bytes;
  if (auto status = fill_with_random(bytes); !status) return status.error();
  std::wstring digits;
  for (const std::byte byte : bytes) {
    digits += L"0123456789abcdef"[std::to_integer<unsigned>(byte >> 4)];
    digits += L"0123456789abcdef"[std::to_integer<unsigned>(byte & std::byte{15})];
  }
  return digits;
}

Status can_outlive_threads() noexcept {
  if (keeper_port() == nullptr) return last_error("CreateIoCompletionPort");
  return {};
}

void outlive_threads(RawHandle handle) noexcept {
  CreateIoCompletionPort(native(handle), keeper_port(), 0, 0);  // refused if another owner did it
}

HANDLE unported(const Handle& event) noexcept { return native(event.get() | 1); }

Result<PipeEnds> make_pipe(const PipeShape& shape) {
  auto security = only_this_user();
  if (!security) return security.error();
  auto name = random_digits();
  if (!name) return name.error();
  name->insert(0, L"\\\\.\\pipe\\multiprocessing-");
  const DWORD opening = shape.server_access | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE;
  const HANDLE server = CreateNamedPipeW(name->c_str(), opening, PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
                                         1, pipe_buffer_size, pipe_buffer_size, 0, &*security);
  if (raw(server) == no_handle) return last_error("CreateNamedPipeW");
  PipeEnds ends;
  ends.server.reset(raw(server));
  const HANDLE client =
      CreateFileW(name->c_str(), shape.client_access, 0, nullptr, OPEN_EXISTING,
                  shape.client_flags | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr);
  if (raw(client) == no_handle) return last_error("CreateFileW");
  ends.client.reset(raw(client));
  return ends;
}

bool is_overlapped_pipe(RawHandle handle) noexcept {
  if (GetFileType(native(handle)) != FILE_TYPE_PIPE) return false;
  IO_STATUS_BLOCK block = {};
  ULONG mode = 0;
  const NTSTATUS status =
      NtQueryInformationFile(native(handle), &block, &mode, sizeof(mode), file_mode_information);
  return status == 0 && (mode & synchronous_modes) == 0;
}

StreamUse access_to_pipe(RawHandle handle) noexcept {
  IO_STATUS_BLOCK block = {};
  ACCESS_MASK granted = 0;
  if (!is_kernel_handle(handle) ||
      NtQueryInformationFile(native(handle), &block, &granted, sizeof(granted), file_access_information) != 0)
    return {false, false};
  return {(granted & FILE_READ_DATA) != 0, (granted & FILE_WRITE_DATA) != 0};
}

DWORD peer_of_pipe(RawHandle pipe) noexcept {
  ULONG server = 0;
  ULONG client = 0;
  if (!GetNamedPipeServerProcessId(native(pipe), &server) ||
      !GetNamedPipeClientProcessId(native(pipe), &client) || server == client)
    return anybody;
  const DWORD self = GetCurrentProcessId();
  if (self == server) return client;
  return self == client ? server : nobody;
}

bool was_made_by(RawHandle pipe, DWORD pid) noexcept {
  ULONG server = 0;
  ULONG client = 0;
  return GetNamedPipeServerProcessId(native(pipe), &server) &&
         GetNamedPipeClientProcessId(native(pipe), &client) && server == pid && client == pid;
}

}  // namespace multiprocessing::platform::win32
