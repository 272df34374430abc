// ctest:
// A host whose main() knows nothing of the library: it opens a plug-in, which starts children in a helper.
#include <boost/dll/shared_library.hpp>

#include <cstdio>
#include <filesystem>

#include "own_program.hpp"
#include "test_support/verdict.hpp"

int main(int argc, char** argv) {
  if (argc > 1) {
    std::puts("the host was started a second time");
    return 3;
  }
  if (own_program::emulated()) return own_program::skipped;
  const auto self = std::filesystem::absolute(argv[0]);
  const auto helper = self.parent_path() / ("light_helper" + self.extension().string());
  // Never closed: a plug-in stays as long as its host.
  static auto& plugin = *new boost::dll::shared_library((self.parent_path() / "plugin").string(),
                                                        boost::dll::load_mode::append_decorations);
  const auto& run = plugin.get<int(const char*, const char*)>("plugin_run");
  const int failed = run(self.string().c_str(), helper.string().c_str());
  if (failed != 0) std::printf("the plug-in says %d\n", failed);
  return multiprocessing::test_support::verdict(failed);
}
