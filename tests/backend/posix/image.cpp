// Images other than the executable: libraries that were linked, and one that is loaded late.
#include "contract/image.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "contract/system.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/results.hpp"

namespace multiprocessing::platform::posix_image_tests {
namespace {

using namespace test_support;

// A function of the C library, past any stub that stands for it in the executable.
const void* library_function() { return ::dlsym(RTLD_NEXT, "getpid"); }

bool linked_with_a_library() {
  const void* function = library_function();
  return function != nullptr && !must(locate(function)).main_executable;
}

// Comes with the C library, and is part of no program.
std::string unused_library() {
  const std::filesystem::path folder =
      std::filesystem::path(must(locate(library_function())).path).parent_path();
  return (folder / "libBrokenLocale.so.1").string();
}

// A copy of this program under another name, as a program that only another process runs.
class CopiedProgram {
 public:
  CopiedProgram()
      : path_(std::filesystem::temp_directory_path() / ("copied_program_" + std::to_string(::getpid()))) {
    std::filesystem::copy_file(must(executable_path()).launch, path_,
                               std::filesystem::copy_options::overwrite_existing);
  }
  CopiedProgram(const CopiedProgram&) = delete;
  CopiedProgram& operator=(const CopiedProgram&) = delete;
  ~CopiedProgram() { std::filesystem::remove(path_); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// A frame of a process that runs the copy, in the function that is at `address` here.
  [[nodiscard]] FrameLocation frame(const void* address) const {
    const CodeLocation original = must(locate(address));
    return {image_hash({original.image.id, path_.filename().string()}), path_.string(), original.offset};
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

void named_function();
void named_function() {}

TEST_SUITE("backend.image") {
  TEST_CASE_FIXTURE(LeakCheck, "a function of a linked library is located and found again") {
    if (!linked_with_a_library()) return skip("this program is static");
    CodeLocation location = must(locate(library_function()));
    CHECK(std::filesystem::path(location.path).is_absolute());
    CHECK(location.path.ends_with("/" + location.image.name));
    CHECK(must(resolve(location)) == library_function());
    CHECK(executable_address(library_function()));
    location.image.id.back() ^= std::byte{1};
    CHECK(outcome(resolve(location)) == Condition::corrupt);
  }

  TEST_CASE("the executable has the name of its file") {
    const auto self = std::filesystem::canonical(must(executable_path()).real);
    CHECK(must(locate(reinterpret_cast<const void*>(&unused_library))).path == self.string());
  }

  TEST_CASE(
      "the executable has the name of its file, whatever it was called by who started it by an open file") {
    const Handle file(::open(must(executable_path()).launch.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file);
    const pid_t child = ::fork();
    if (child == 0) {
      std::string name = "/bin/sh", suite = "--test-suite=backend.image",
                  test = "--test-case=the executable has the name of its file";
      char* arguments[] = {name.data(), suite.data(), test.data(), nullptr};
      ::fexecve(static_cast<int>(file.get()), arguments, environ);
      ::_exit(99);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a function of a linked library has a name") {
    if (!linked_with_a_library()) return skip("this program is static");
    const void* addresses[] = {library_function()};
    const std::string name = find_symbols(locate_frames(addresses)).front().function;
    CHECK(name.ends_with("getpid"));
  }

  TEST_CASE("a library that is loaded late is found afterwards") {
    if (!linked_with_a_library()) return skip("this program is static");
    const std::string path = unused_library();
    if (!std::filesystem::exists(path)) return skip("this C library has no part that nobody uses");
    CodeLocation location;
    location.image.name = std::filesystem::canonical(path).filename().string();
    CHECK(outcome(resolve(location)) == Condition::not_found);
    must(load_image(path));
    must(load_image(path));
    CHECK(outcome(resolve(location)) == Condition::corrupt);  // it is there now, and the location has no id
  }

  TEST_CASE_FIXTURE(LeakCheck, "a file that is no library is not loaded") {
    if (!linked_with_a_library()) return skip("this program is static");
    CHECK(outcome(load_image("/dev/null")) == Condition::corrupt);
    CHECK(outcome(load_image("/")) == Condition::corrupt);
  }

  TEST_CASE_FIXTURE(LeakCheck, "names of an image that is not loaded here are read from its file") {
    const auto* address = reinterpret_cast<const void*>(&named_function);
    if (must(locate(address)).image.id.front() != std::byte{1}) return skip("this program has no build id");
    const CopiedProgram copy;
    FrameLocation frame = copy.frame(address);
    const auto name = [&frame] { return find_symbols(std::span(&frame, 1)).front().function; };
    CHECK(name() == "multiprocessing::platform::posix_image_tests::named_function()");
    frame.image ^= 1;  // another build
    CHECK(name().empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a damaged file has no names and does no harm") {
    const CopiedProgram copy;
    const FrameLocation frame = copy.frame(reinterpret_cast<const void*>(&named_function));
    const auto whole = std::filesystem::file_size(copy.path());
    for (std::uintmax_t size = whole / 2; size > 0; size /= 3) {
      std::filesystem::resize_file(copy.path(), size);
      CHECK(find_symbols(std::span(&frame, 1)).front().function.empty());
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "the executable is known by its real path") {
    const CodeLocation location = must(locate(reinterpret_cast<const void*>(&unused_library)));
    CHECK(location.main_executable);
    CHECK(location.path == must(executable_path()).real);
  }
}

}  // namespace multiprocessing::platform::posix_image_tests
