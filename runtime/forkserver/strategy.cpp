// One start by "forkserver": the server forks a child that has nothing but two channels, and the child gets
// its record from here, as under "spawn". So a server that dies in between costs nothing but another one: its
// last child was never told what to run.
#include <filesystem>
#include <multiprocessing/errors.hpp>
#include <string>

#include "contract/process.hpp"
#include "forkserver/forkserver.hpp"
#include "launch/process_state.hpp"
#include "launch/record.hpp"
#include "server.hpp"
#include "server_handle.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"

namespace multiprocessing::runtime {
namespace {

/// How many servers in a row may die without having forked anything.
constexpr int most_servers = 3;

/// A child is where its server was started; it has to be where its parent is.
std::string folder_for(const std::string& wanted, const ServerHandle& server) {
  std::error_code unknown;
  if (!wanted.empty()) return std::filesystem::absolute(wanted, unknown).string();
  auto here = std::filesystem::current_path(unknown).string();
  return here == server.folder() ? std::string() : here;
}

/// Returns if another server is worth a try.
void consider_the_end_of(ServerHandle& server, int attempt) {
  if (const auto raised = server.raised(); !raised.empty())
    throw RuntimeError("start(): the fork server threw before it could serve: " + raised);
  if (attempt == most_servers)
    throw RuntimeError(
        "start(): " + std::to_string(most_servers) +
        " fork servers, one after the other, ended before they could fork: " + server.end_in_words());
  log(Level::info, "the fork server is gone; another one is started");
}

class ForkServerStrategy : public StartStrategy {
 public:
  ForkServerStrategy() { register_server(); }

  [[nodiscard]] std::string_view name() const noexcept override { return "forkserver"; }

  [[nodiscard]] platform::ChildProcess start(StartRequest& request) override {
    request.settings.setup = setup_from(request.options);
    for (int attempt = 1;; ++attempt) {
      const auto server = server_for(request);
      request.settings.setup.working_directory = folder_for(request.options.working_directory, *server);
      const auto record = write_record(request);  // first: what fails here leaves no child behind
      if (auto child = fork_child(*server, request)) {
        deliver_record(*child, record, request);
        return *std::move(child);
      }
      forget_server(server);
      consider_the_end_of(*server, attempt);
    }
  }

 private:
  static std::optional<platform::ChildProcess> fork_child(ServerHandle& server, StartRequest& request) {
    request.in_flight.open_channel();
    request.in_flight.open_handover();
    auto child = server.fork_child(request);
    // A stream stays open for another server.
    if (child) request.in_flight.close_child_ends();
    return child;
  }
};

}  // namespace

std::unique_ptr<StartStrategy> make_forkserver_strategy() { return std::make_unique<ForkServerStrategy>(); }

}  // namespace multiprocessing::runtime
