// Quoting of arguments. The rules: backslashes are themselves, but before a quote, where each counts half;
// so those before a quote of ours or of the argument are doubled. The program's name follows other rules: no
// backslash is special in it and it cannot hold a quote. Wildcards are quoted too, because some C runtimes
// expand them. (Boost.Process's own quoting leaves backslashes before the closing quote, and quoted text, as
// they are.)
#include "command_line.hpp"

#include "win32.hpp"

#include <shellapi.h>

namespace multiprocessing::platform::win32 {
namespace {

constexpr std::size_t longest_command_line = 32767;  // with the zero at its end

bool needs_quotes(std::wstring_view argument) {
  return argument.empty() || argument.find_first_of(L" \t\n\v\"*?") != std::wstring_view::npos;
}

void append_argument(std::wstring& line, std::wstring_view argument) {
  if (!needs_quotes(argument)) {
    line += argument;
    return;
  }
  line += L'"';
  std::size_t backslashes = 0;
  for (const wchar_t letter : argument) {
    if (letter == L'"') line.append(backslashes + 1, L'\\');
    backslashes = letter == L'\\' ? backslashes + 1 : 0;
    line += letter;
  }
  line.append(backslashes, L'\\');
  line += L'"';
}

Status append_program_name(std::wstring& line, const std::wstring& name) {
  if (name.find(L'"') != std::wstring::npos) return mistake("arguments[0]");
  const bool quoted = needs_quotes(name);
  if (quoted) line += L'"';
  line += name;
  if (quoted) line += L'"';
  return {};
}

}  // namespace

Result<std::wstring> join_command_line(std::span<const std::string> arguments) {
  std::wstring line;
  for (const std::string& argument : arguments) {
    const auto wide = widen(argument);
    if (!wide) return wide.error();
    if (&argument == arguments.data()) {
      if (auto status = append_program_name(line, *wide); !status) return status.error();
    } else {
      line += L' ';
      append_argument(line, *wide);
    }
  }
  if (line.size() >= longest_command_line) return Error{Condition::too_long, 0, "command line"};
  return line;
}

Result<std::vector<std::string>> split_command_line(const wchar_t* line) {
  int count = 0;
  wchar_t** const words = CommandLineToArgvW(line, &count);
  if (words == nullptr) return last_error("CommandLineToArgvW");
  std::vector<std::string> arguments;
  for (int i = 0; i < count; ++i) arguments.push_back(narrow_lossy(words[i]));
  LocalFree(words);
  return arguments;
}

}  // namespace multiprocessing::platform::win32
