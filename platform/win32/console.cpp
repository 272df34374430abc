// Console and standard streams. A console takes UTF-16 by WriteConsoleW, whatever its code page; files and
// pipes get the UTF-8 as it is. Crash dialogs are switched off in three places: the system's error mode, the
// C runtime's abort(), and the reports of its debug build.
#include "contract/console.hpp"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>

#include "launch_parts.hpp"
#include "win32.hpp"

#if defined(_MSC_VER)
#include <crtdbg.h>
#endif

namespace multiprocessing::platform {

using namespace win32;

namespace {

HANDLE handle_of(StandardStream stream) noexcept {
  return GetStdHandle(standard_streams[static_cast<std::size_t>(stream)]);
}

bool is_console(HANDLE handle) noexcept {
  DWORD mode = 0;
  return GetConsoleMode(handle, &mode) != FALSE;
}

void write_to_console(HANDLE console, std::string_view text) noexcept {
  constexpr int capacity = 4096;
  wchar_t wide[capacity];
  while (!text.empty()) {
    // Not in the middle of a character, unless it is none.
    std::size_t size = std::min<std::size_t>(text.size(), capacity);
    while (size > 1 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U)
      --size;
    const int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(size), wide, capacity);
    DWORD written = 0;
    if (length <= 0 || !WriteConsoleW(console, wide, static_cast<DWORD>(length), &written, nullptr)) return;
    text.remove_prefix(size);
  }
}

void write_to_file(HANDLE file, std::string_view text) noexcept {
  while (!text.empty()) {
    DWORD written = 0;
    const auto size = static_cast<DWORD>(std::min<std::size_t>(text.size(), 1U << 30U));
    if (!WriteFile(file, text.data(), size, &written, nullptr) || written == 0) return;
    text.remove_prefix(written);
  }
}

bool is_open(HANDLE handle) noexcept {
  DWORD flags = 0;
  return is_kernel_handle(raw(handle)) && GetHandleInformation(handle, &flags);
}

/// The C runtime found no stream when it started, so that stdin, stdout or stderr would stay dead.
void reopen_in_runtime(std::size_t stream) noexcept {
  FILE* const files[] = {stdin, stdout, stderr};
  if (_fileno(files[stream]) >= 0 && _get_osfhandle(_fileno(files[stream])) >= 0) return;
  if (std::freopen("NUL", stream == 0 ? "r" : "w", files[stream]) == nullptr) return;
  if (stream == 2) std::setvbuf(files[stream], nullptr, _IONBF, 0);
}

}  // namespace

std::optional<int> terminal_width(StandardStream stream) noexcept {
  HANDLE handle = handle_of(stream);
  CONSOLE_SCREEN_BUFFER_INFO info = {};
  if (stream == StandardStream::input && is_console(handle)) handle = handle_of(StandardStream::output);
  if (!GetConsoleScreenBufferInfo(handle, &info)) return std::nullopt;
  return info.srWindow.Right - info.srWindow.Left + 1;
}

void write_to_standard_error(std::string_view text) noexcept {
  const HANDLE handle = handle_of(StandardStream::error);
  if (is_console(handle)) {
    write_to_console(handle, text);
  } else {
    write_to_file(handle, text);
  }
}

Status secure_standard_streams() noexcept {
  // A process that leads its own group starts with CTRL_C switched off; the terminal's belongs to all.
  SetConsoleCtrlHandler(nullptr, FALSE);
  for (std::size_t i = 0; i < standard_streams.size(); ++i) {
    if (!is_open(GetStdHandle(standard_streams[i]))) {
      auto null = open_stream({StreamBinding::Source::null}, i, FALSE);
      if (!null) return null.error();
      if (!SetStdHandle(standard_streams[i], native(*null))) return last_error("SetStdHandle");
      (void)null->release();  // the standard stream from now on
    }
    reopen_in_runtime(i);
  }
  return {};
}

void silence_crash_dialogs() noexcept {
  SetErrorMode(GetErrorMode() | SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
#if defined(_MSC_VER) || defined(_UCRT)
  _set_abort_behavior(0, _WRITE_ABORT_MSG | _CALL_REPORTFAULT);
#endif
#if defined(_MSC_VER)
  for (const int kind : {_CRT_WARN, _CRT_ERROR, _CRT_ASSERT}) {
    _CrtSetReportMode(kind, _CRTDBG_MODE_FILE);
    _CrtSetReportFile(kind, _CRTDBG_FILE_STDERR);
  }
#endif
}

}  // namespace multiprocessing::platform
