// Children that end with this process are members of its job, however they were put there.
#include <doctest/doctest.h>

#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "contract/wait.hpp"
#include "job.hpp"

namespace multiprocessing::platform::win32 {
namespace {

/// A program of the system's that runs until its standard input ends.
struct Waiting {
  ChildProcess process;
  Channel input;
};

Waiting start_waiting(bool ends_with_parent) {
  auto pipe = stream_pipe(Direction::child_reads);
  REQUIRE(pipe);
  LaunchRequest request;
  request.executable = "cmd.exe";
  request.arguments = {"cmd.exe", "/q"};
  request.streams[0] = {StreamBinding::Source::handle, pipe->child.get()};
  request.streams[1] = {StreamBinding::Source::null};
  request.ends_with_parent = ends_with_parent;
  auto process = launch(request);
  REQUIRE(process);
  return {std::move(*process), std::move(pipe->parent)};
}

bool is_in_job(const ChildProcess& child) {
  BOOL member = FALSE;
  const auto job = children_job();
  REQUIRE(job);
  REQUIRE(IsProcessInJob(native(child.sentinel()), *job, &member));
  return member != FALSE;
}

TEST_SUITE_BEGIN("backend.job");

TEST_CASE("a child that ends with its parent is a member of the job, one that keeps running is not") {
  for (const bool ends_with_parent : {true, false}) {
    auto child = start_waiting(ends_with_parent);
    CHECK(is_in_job(child.process) == ends_with_parent);
    child.input.close();
    CHECK(wait_one(child.process.sentinel(), Deadline::after(std::chrono::seconds(60))));
  }
}

}  // namespace
}  // namespace multiprocessing::platform::win32

TEST_SUITE_END();
