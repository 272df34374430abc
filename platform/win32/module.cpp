// A module's handle is the address where its file is mapped, headers first. The debug directory names the
// build: a CodeView record "RSDS" with a GUID and an age, which MSVC's linker writes with /DEBUG and binutils
// with --build-id. Modules without one are told apart by their files: volume, index, size, time of last
// change.
#include "module.hpp"

#include <psapi.h>

#include <cstring>

namespace multiprocessing::platform::win32 {
namespace {

constexpr std::size_t signature_size = 4;
constexpr std::size_t guid_and_age_size = 20;

const std::byte* base_of(HMODULE module) noexcept { return reinterpret_cast<const std::byte*>(module); }

const IMAGE_NT_HEADERS* headers_of(HMODULE module) noexcept {
  const auto* dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base_of(module));
  return reinterpret_cast<const IMAGE_NT_HEADERS*>(base_of(module) + dos->e_lfanew);
}

std::span<const IMAGE_SECTION_HEADER> sections_of(HMODULE module) noexcept {
  const IMAGE_NT_HEADERS* headers = headers_of(module);
  return {IMAGE_FIRST_SECTION(headers), headers->FileHeader.NumberOfSections};
}

/// The bytes at [offset, offset + size) of the mapped module; empty if they are not all there.
std::span<const std::byte> mapped_bytes(HMODULE module, std::uint64_t offset, std::size_t size) noexcept {
  const IMAGE_SECTION_HEADER* section = section_at(module, offset);
  if (section == nullptr || offset - section->VirtualAddress + size > section->Misc.VirtualSize) return {};
  return {base_of(module) + offset, size};
}

std::span<const std::byte> debug_id(HMODULE module) noexcept {
  const auto& directory = headers_of(module)->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_DEBUG];
  const auto bytes = mapped_bytes(module, directory.VirtualAddress, directory.Size);
  for (std::size_t at = 0; at + sizeof(IMAGE_DEBUG_DIRECTORY) <= bytes.size();
       at += sizeof(IMAGE_DEBUG_DIRECTORY)) {
    IMAGE_DEBUG_DIRECTORY entry;
    std::memcpy(&entry, bytes.data() + at, sizeof(entry));
    if (entry.Type != IMAGE_DEBUG_TYPE_CODEVIEW) continue;
    const auto record = mapped_bytes(module, entry.AddressOfRawData, signature_size + guid_and_age_size);
    if (!record.empty() && std::memcmp(record.data(), "RSDS", signature_size) == 0) {
      return record.subspan(signature_size);
    }
  }
  return {};
}

std::vector<std::byte> file_identity(const std::string& path) {
  std::vector<std::byte> identity;
  const auto wide = widen_path(path);
  if (!wide) return identity;
  const Handle file(raw(CreateFileW(wide->c_str(), FILE_READ_ATTRIBUTES,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                    OPEN_EXISTING, 0, nullptr)));
  BY_HANDLE_FILE_INFORMATION info = {};
  if (!file || !GetFileInformationByHandle(native(file), &info)) return identity;
  for (const DWORD part :
       {info.dwVolumeSerialNumber, info.nFileIndexHigh, info.nFileIndexLow, info.nFileSizeHigh,
        info.nFileSizeLow, info.ftLastWriteTime.dwHighDateTime, info.ftLastWriteTime.dwLowDateTime}) {
    const auto bytes = std::as_bytes(std::span(&part, 1));
    identity.insert(identity.end(), bytes.begin(), bytes.end());
  }
  return identity;
}

}  // namespace

HMODULE module_at(const void* address) noexcept {
  constexpr DWORD flags =
      GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  HMODULE module = nullptr;
  if (address == nullptr) return nullptr;  // which stands for the executable there
  if (!GetModuleHandleExW(flags, static_cast<LPCWSTR>(address), &module)) return nullptr;
  return module;
}

std::vector<HMODULE> loaded_modules() {
  std::vector<HMODULE> modules(256);
  for (;;) {
    DWORD needed = 0;
    const auto size = static_cast<DWORD>(modules.size() * sizeof(HMODULE));
    if (!EnumProcessModules(GetCurrentProcess(), modules.data(), size, &needed)) return {};
    const std::size_t count = needed / sizeof(HMODULE);
    const bool complete = count <= modules.size();
    modules.resize(count);
    if (complete) return modules;
  }
}

std::string module_path(HMODULE module) {
  return narrow_lossy(
      grown_text([module](wchar_t* text, DWORD size) { return GetModuleFileNameW(module, text, size); }));
}

std::size_t mapped_size(HMODULE module) noexcept { return headers_of(module)->OptionalHeader.SizeOfImage; }

std::string file_name_of(const std::string& path) { return path.substr(path.find_last_of("\\/") + 1); }

const IMAGE_SECTION_HEADER* section_at(HMODULE module, std::uint64_t offset) noexcept {
  for (const IMAGE_SECTION_HEADER& section : sections_of(module)) {
    if (offset >= section.VirtualAddress && offset - section.VirtualAddress < section.Misc.VirtualSize)
      return &section;
  }
  return nullptr;
}

ImageKey key_of(HMODULE module, const std::string& path) {
  ImageKey key;
  key.name = file_name_of(path);
  const auto id = debug_id(module);
  key.id.push_back(static_cast<std::byte>(id.empty() ? ImageIdKind::file_identity : ImageIdKind::build_id));
  if (!id.empty()) {
    key.id.insert(key.id.end(), id.begin(), id.end());
  } else {
    const auto identity = file_identity(path);
    key.id.insert(key.id.end(), identity.begin(), identity.end());
  }
  return key;
}

}  // namespace multiprocessing::platform::win32
