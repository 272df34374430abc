// Modules: which build they are, with and without an id in their debug directory.
#include <doctest/doctest.h>

#include "contract/image.hpp"
#include "module.hpp"

namespace multiprocessing::platform::win32 {
namespace {

std::size_t id_size(HMODULE module) { return key_of(module, module_path(module)).id.size(); }

TEST_SUITE_BEGIN("backend.image");

TEST_CASE("the test program carries an id of the linker's") {
  const HMODULE self = GetModuleHandleW(nullptr);
  const auto key = key_of(self, module_path(self));
  CHECK(key.id.front() == static_cast<std::byte>(ImageIdKind::build_id));
  CHECK(key.id.size() == 21);
  CHECK(key == key_of(self, module_path(self)));
}

TEST_CASE("every loaded module has a key that is more than its kind") {
  const auto modules = loaded_modules();
  REQUIRE(modules.size() > 1);
  for (const HMODULE module : modules) CHECK(id_size(module) > 1);
}

TEST_CASE("offsets outside of all sections belong to none") {
  const HMODULE self = GetModuleHandleW(nullptr);
  CHECK(section_at(self, 0) == nullptr);
  CHECK(section_at(self, ~std::uint64_t{0}) == nullptr);
  CHECK(section_at(self, offset_in(self, reinterpret_cast<const void*>(&id_size))) != nullptr);
}

}  // namespace
}  // namespace multiprocessing::platform::win32

TEST_SUITE_END();
