// UTF-8 outside, UTF-16 inside: all conversions of the backend. Strict towards what callers hand in, since a
// name that was quietly repaired would be another name.
#include <limits>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {
namespace {

constexpr std::size_t longest = static_cast<std::size_t>(std::numeric_limits<int>::max()) / 4;
constexpr std::size_t longest_short_path = 248;  // what CreateDirectoryW takes; files may have 12 more

std::string to_utf8(std::wstring_view text, DWORD flags) {
  const int length = static_cast<int>(text.size());
  const int size = WideCharToMultiByte(CP_UTF8, flags, text.data(), length, nullptr, 0, nullptr, nullptr);
  std::string result(static_cast<std::size_t>(size), '\0');
  if (size > 0)
    WideCharToMultiByte(CP_UTF8, flags, text.data(), length, result.data(), size, nullptr, nullptr);
  return result;
}

bool is_absolute_path(std::wstring_view path) {
  return path.size() > 2 && path[1] == L':' && (path[2] == L'\\' || path[2] == L'/');
}

}  // namespace

Result<std::wstring> widen(std::string_view text) {
  if (text.size() > longest) return Error{Condition::too_long, 0, "UTF-8 to UTF-16"};
  if (text.find('\0') != std::string_view::npos) return mistake("UTF-8 to UTF-16");
  if (text.empty()) return std::wstring();
  const int length = static_cast<int>(text.size());
  const int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), length, nullptr, 0);
  if (size == 0) return last_error("UTF-8 to UTF-16");
  std::wstring result(static_cast<std::size_t>(size), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), length, result.data(), size);
  return result;
}

Result<std::string> narrow(std::wstring_view text) {
  if (text.size() > longest) return Error{Condition::too_long, 0, "UTF-16 to UTF-8"};
  if (text.find(L'\0') != std::wstring_view::npos) return mistake("UTF-16 to UTF-8");
  std::string result = to_utf8(text, WC_ERR_INVALID_CHARS);
  if (result.empty() && !text.empty()) return last_error("UTF-16 to UTF-8");
  return result;
}

std::string narrow_lossy(std::wstring_view text) { return to_utf8(text.substr(0, longest), 0); }

Result<std::wstring> widen_path(std::string_view path) {
  auto wide = widen(path);
  if (!wide || wide->size() <= longest_short_path || !is_absolute_path(*wide)) return wide;
  for (wchar_t& letter : *wide)
    if (letter == L'/') letter = L'\\';  // the prefix switches the translation off
  return L"\\\\?\\" + *wide;
}

}  // namespace multiprocessing::platform::win32
