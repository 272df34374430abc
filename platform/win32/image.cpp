// Images are the modules of the loader (module.cpp). An address is named by the module it lies in, and found
// again by the module's name and build. Segments are the sections of the mapped file. Frames and names of
// functions are in frames.cpp.
#include "contract/image.hpp"

#include <algorithm>

#include "contract/fault.hpp"
#include "module.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

bool is_same_file_name(const std::string& left, const std::string& right) {
  const auto wide_left = widen(left);
  const auto wide_right = widen(right);
  if (!wide_left || !wide_right) return false;
  return CompareStringOrdinal(wide_left->c_str(), -1, wide_right->c_str(), -1, TRUE) == CSTR_EQUAL;
}

/// The module of that build. Errors: not_found, corrupt.
Result<HMODULE> find_module(const CodeLocation& location) {
  bool another_build = false;
  const HMODULE executable = GetModuleHandleW(nullptr);
  for (const HMODULE module : loaded_modules()) {
    const bool is_executable = module == executable;
    if (is_executable != location.main_executable) continue;
    const std::string path = module_path(module);
    if (!is_executable && !is_same_file_name(file_name_of(path), location.image.name)) continue;
    if (key_of(module, path).id == location.image.id) return module;
    another_build = true;
  }
  return Error{another_build ? Condition::corrupt : Condition::not_found, 0, "resolve"};
}

bool file_exists(const std::wstring& path) noexcept {
  return GetFileAttributesW(path.c_str()) != INVALID_FILE_ATTRIBUTES;
}

bool has_right(const void* begin, std::size_t size, DWORD right) noexcept {
  const HMODULE module = module_at(begin);
  if (module == nullptr) return false;
  const std::uint64_t offset = offset_in(module, begin);
  const IMAGE_SECTION_HEADER* section = section_at(module, offset);
  return section != nullptr && (section->Characteristics & right) != 0 &&
         size <= section->VirtualAddress + std::uint64_t{section->Misc.VirtualSize} - offset;
}

}  // namespace

Result<CodeLocation> locate(const void* address) {
  if (const auto fault = fault_point(Call::locate)) return *fault;
  const HMODULE module = module_at(address);
  if (module == nullptr) return Error{Condition::not_found, 0, "locate"};
  CodeLocation location;
  location.path = module_path(module);
  location.image = key_of(module, location.path);
  location.offset = offset_in(module, address);
  location.main_executable = module == GetModuleHandleW(nullptr);
  return location;
}

Result<const void*> resolve(const CodeLocation& location) {
  if (const auto fault = fault_point(Call::resolve)) return *fault;
  const auto module = find_module(location);
  if (!module) return module.error();
  if (section_at(*module, location.offset) == nullptr) return mistake("resolve");
  return static_cast<const void*>(reinterpret_cast<const std::byte*>(*module) + location.offset);
}

Status load_image(const std::string& path) {
  if (const auto fault = fault_point(Call::load_image)) return *fault;
  const auto wide = widen_path(path);
  if (!wide) return wide.error();
  const bool has_folder = wide->find_first_of(L"\\/") != std::wstring::npos;
  // From its own folder what it needs is found; errors come back instead of a dialog.
  DWORD before = 0;
  SetThreadErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX, &before);
  const HMODULE loaded =
      LoadLibraryExW(wide->c_str(), nullptr, has_folder ? LOAD_WITH_ALTERED_SEARCH_PATH : 0);
  const DWORD code = GetLastError();
  SetThreadErrorMode(before, nullptr);
  if (loaded != nullptr) return {};
  if (condition_of(code) == Condition::permission_denied) return error_of(code, "LoadLibraryExW");
  return Error{file_exists(*wide) ? Condition::corrupt : Condition::not_found, static_cast<int>(code),
               "LoadLibraryExW"};
}

bool readable_range(const void* begin, std::size_t size) noexcept {
  return has_right(begin, size, IMAGE_SCN_MEM_READ);
}

bool executable_address(const void* address) noexcept { return has_right(address, 1, IMAGE_SCN_MEM_EXECUTE); }

}  // namespace multiprocessing::platform
