// The loader of glibc 2.35 and later finds an image without a lock, in signal handlers too; so a new process
// need not list them all for the sake of a crash that seldom comes, and libraries that came later are known.
// What is not found here: an image that was opened by a relative path, and one whose program headers a tool
// has moved. Manual pages: elf(5), getauxval(3); the GNU C Library's manual, "Dynamic Linker Introspection".
#include "code_place.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

#include "contract/fault.hpp"
#include "contract/image.hpp"
#include "mapped_images.hpp"
#include "notes.hpp"

namespace multiprocessing::platform::posix {

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
namespace {

using Headers = std::span<const ElfW(Phdr)>;

std::atomic<const std::string*> program{nullptr};

Headers headers_of_program() noexcept {
  return {reinterpret_cast<const ElfW(Phdr)*>(::getauxval(AT_PHDR)), ::getauxval(AT_PHNUM)};
}

// Where linkers put them, right behind the file's own header. Tools that move them say where they are in the
// file, not where in memory.
Headers headers_at(const void* begin) noexcept {
  constexpr std::size_t first_page = 4096;
  const auto* const image = static_cast<const std::byte*>(begin);
  const auto& header = *reinterpret_cast<const ElfW(Ehdr)*>(image);
  const bool usual = std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_phoff == sizeof header &&
                     header.e_phentsize == sizeof(ElfW(Phdr)) &&
                     sizeof header + header.e_phnum * sizeof(ElfW(Phdr)) <= first_page;
  if (!usual) return {};
  return {reinterpret_cast<const ElfW(Phdr)*>(image + sizeof header), header.e_phnum};
}

bool is_mapped(Headers headers, std::uintptr_t offset, std::size_t size, ElfW(Word) how) noexcept {
  for (const auto& header : headers)
    if (header.p_type == PT_LOAD && (header.p_flags & how) != 0 && header.p_vaddr <= offset &&
        offset - header.p_vaddr < header.p_memsz && size <= header.p_memsz - (offset - header.p_vaddr))
      return true;
  return false;
}

std::span<const std::byte> build_id_of(Headers headers, std::uintptr_t base) noexcept {
  for (const auto& header : headers) {
    if (header.p_type != PT_NOTE || !is_mapped(headers, header.p_vaddr, header.p_memsz, PF_R)) continue;
    const auto* const notes = reinterpret_cast<const std::byte*>(base + header.p_vaddr);
    const auto id = find_build_id({notes, header.p_memsz}, header.p_align);
    if (!id.empty()) return id;
  }
  return {};
}

std::uint64_t hash_of(std::span<const std::byte> build_id, const char* file, std::string_view name) noexcept {
  std::array<std::byte, 65> id = {static_cast<std::byte>(ImageIdKind::build_id)};
  if (build_id.size() >= id.size()) return 0;
  if (build_id.empty()) {
    const FileIdentity identity = file_identity(file);
    return image_hash(std::span(identity.bytes).first(identity.size), name);
  }
  std::memcpy(id.data() + 1, build_id.data(), build_id.size());
  return image_hash(std::span(id).first(1 + build_id.size()), name);
}

}  // namespace

std::optional<CodePlace> find_code(std::uintptr_t address) noexcept {
  const std::string* const own_name = program;
  dl_find_object found;
  if (own_name == nullptr || _dl_find_object(reinterpret_cast<void*>(address), &found) != 0)
    return std::nullopt;
  CodePlace place;
  place.base = found.dlfo_link_map->l_addr;
  const char* const path = found.dlfo_link_map->l_name;
  const bool is_program = path == nullptr || *path == '\0';
  const auto headers = is_program ? headers_of_program() : headers_at(found.dlfo_map_start);
  if (!is_mapped(headers, address - place.base, 1, PF_X)) return std::nullopt;
  place.path = is_program ? std::string_view(*own_name) : std::string_view(path);
  // What has no folder is the kernel's own library.
  const auto slash = place.path.find_last_of('/');
  if (slash != std::string_view::npos && place.path.front() != '/') return std::nullopt;
  place.hash = hash_of(build_id_of(headers, place.base), is_program ? "/proc/self/exe" : path,
                       place.path.substr(slash == std::string_view::npos ? 0 : slash + 1));
  if (place.hash == 0) return std::nullopt;
  return place;
}

bool may_be_stub(std::uintptr_t address) noexcept {
  dl_find_object found;
  if (_dl_find_object(reinterpret_cast<void*>(address), &found) != 0) return true;
  const char* const path = found.dlfo_link_map->l_name;
  return path == nullptr || *path == '\0';
}

bool prepare_to_find_code() {
  if (forced("no-find-object")) return false;
  if (program == nullptr) program = new std::string(executable_name());  // one for each process, never freed
  return find_code(reinterpret_cast<std::uintptr_t>(&prepare_to_find_code)).has_value();
}
#else
bool prepare_to_find_code() { return false; }
bool may_be_stub(std::uintptr_t) noexcept { return true; }
std::optional<CodePlace> find_code(std::uintptr_t) noexcept { return std::nullopt; }
#endif

}  // namespace multiprocessing::platform::posix
