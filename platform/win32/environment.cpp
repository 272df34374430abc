// Blocks of environment variables: split, sorted as the system wants them (by upper-case ordinal of the
// name), and put together again. Hidden variables, which begin with "=", pass through.
#include "environment.hpp"

#include <algorithm>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {
namespace {

constexpr wchar_t system_root[] = L"SystemRoot";

int compare_names(const std::wstring& left, const std::wstring& right) {
  return CompareStringOrdinal(left.c_str(), static_cast<int>(left.size()), right.c_str(),
                              static_cast<int>(right.size()), TRUE);
}

bool same_name(const std::wstring& left, const std::wstring& right) {
  return compare_names(left, right) == CSTR_EQUAL;
}

bool sorts_before(const Variable& left, const Variable& right) {
  return compare_names(left.first, right.first) == CSTR_LESS_THAN;
}

std::wstring value_here(const wchar_t* name) {
  return grown_text([name](wchar_t* text, DWORD size) { return GetEnvironmentVariableW(name, text, size); });
}

void add_system_root(std::vector<Variable>& variables) {
  const bool present = std::any_of(variables.begin(), variables.end(), [](const Variable& variable) {
    return same_name(variable.first, system_root);
  });
  if (present) return;
  if (auto value = value_here(system_root); !value.empty())
    variables.emplace_back(system_root, std::move(value));
}

}  // namespace

Result<std::vector<Variable>> split_environment(const std::vector<std::string>& environment) {
  std::vector<Variable> variables;
  for (const std::string& entry : environment) {
    const auto wide = widen(entry);
    if (!wide) return wide.error();
    const auto equals = wide->find(L'=', 1);
    if (wide->empty() || equals == std::wstring::npos) return mistake("environment");
    variables.emplace_back(wide->substr(0, equals), wide->substr(equals + 1));
  }
  return variables;
}

Result<std::wstring> environment_block(const std::vector<std::string>& environment) {
  auto variables = split_environment(environment);
  if (!variables) return variables.error();
  add_system_root(*variables);
  std::stable_sort(variables->begin(), variables->end(), sorts_before);
  std::wstring block;
  for (const auto& [name, value] : *variables)
    block.append(name).append(1, L'=').append(value).append(1, L'\0');
  block.append(block.empty() ? 2 : 1, L'\0');
  return block;
}

std::vector<std::wstring> variable_names() {
  std::vector<std::wstring> names;
  wchar_t* const block = GetEnvironmentStringsW();
  if (block == nullptr) return names;
  for (const wchar_t* entry = block; *entry != L'\0';) {
    const std::wstring_view text(entry);
    const auto equals = text.find(L'=', 1);
    if (text.front() != L'=' && equals != std::wstring_view::npos) names.emplace_back(text.substr(0, equals));
    entry += text.size() + 1;
  }
  FreeEnvironmentStringsW(block);
  return names;
}

}  // namespace multiprocessing::platform::win32
