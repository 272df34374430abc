// The loader of glibc 2.35 and later finds an image without a lock, in signal handlers too; so a new process
// need not list them all for the sake of a crash that seldom comes, and libraries that came later are known.
// What the image is, its headers in memory say. An image without a build id, or one that was opened by a
// relative path, is not found here. Manual pages: elf(5); the GNU C Library's manual, "Dynamic Linker
// Introspection".
#include "code_place.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>

#include <dlfcn.h>
#include <link.h>

#include "contract/fault.hpp"
#include "contract/image.hpp"
#include "mapped_images.hpp"
#include "notes.hpp"

namespace multiprocessing::platform::posix {

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
namespace {

std::atomic<const std::string*> program{nullptr};

std::span<const ElfW(Phdr)> headers_at(const void* begin) noexcept {
  const auto* const image = static_cast<const std::byte*>(begin);
  const auto& header = *reinterpret_cast<const ElfW(Ehdr)*>(image);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return {};
  return {reinterpret_cast<const ElfW(Phdr)*>(image + header.e_phoff), header.e_phnum};
}

bool holds_code(std::span<const ElfW(Phdr)> headers, std::uintptr_t offset) noexcept {
  for (const auto& header : headers)
    if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0 && header.p_vaddr <= offset &&
        offset - header.p_vaddr < header.p_memsz)
      return true;
  return false;
}

std::span<const std::byte> build_id_of(std::span<const ElfW(Phdr)> headers, std::uintptr_t base) noexcept {
  for (const auto& header : headers) {
    if (header.p_type != PT_NOTE) continue;
    const auto* const notes = reinterpret_cast<const std::byte*>(base + header.p_vaddr);
    const auto id = find_build_id({notes, header.p_memsz}, header.p_align);
    if (!id.empty()) return id;
  }
  return {};
}

}  // namespace

bool prepare_to_find_code() {
  if (forced("no-find-object")) return false;
  if (program == nullptr) program = new std::string(executable_name());  // one for each process, never freed
  return true;
}

std::optional<CodePlace> find_code(std::uintptr_t address) noexcept {
  const std::string* const own_name = program;
  dl_find_object found;
  if (own_name == nullptr || _dl_find_object(reinterpret_cast<void*>(address), &found) != 0)
    return std::nullopt;
  CodePlace place;
  place.base = found.dlfo_link_map->l_addr;
  const auto headers = headers_at(found.dlfo_map_start);
  if (!holds_code(headers, address - place.base)) return std::nullopt;
  const char* const name = found.dlfo_link_map->l_name;
  place.path = name == nullptr || *name == '\0' ? std::string_view(*own_name) : std::string_view(name);
  const auto build_id = build_id_of(headers, place.base);
  std::array<std::byte, 65> id = {static_cast<std::byte>(ImageIdKind::build_id)};
  if (!place.path.starts_with('/') || build_id.empty() || build_id.size() >= id.size()) return std::nullopt;
  std::memcpy(id.data() + 1, build_id.data(), build_id.size());
  place.hash = image_hash(std::span(id).first(1 + build_id.size()),
                          place.path.substr(place.path.find_last_of('/') + 1));
  return place;
}
#else
bool prepare_to_find_code() { return false; }
std::optional<CodePlace> find_code(std::uintptr_t) noexcept { return std::nullopt; }
#endif

}  // namespace multiprocessing::platform::posix
