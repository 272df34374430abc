// The one fork server of this process, and its start.
#include <atomic>
#include <filesystem>
#include <mutex>
#include <utility>

#include "contract/process.hpp"
#include "launch/process_state.hpp"
#include "launch/registry_mutex.hpp"
#include "launch/self.hpp"
#include "preload.hpp"
#include "server.hpp"
#include "server_handle.hpp"
#include "support/log.hpp"
#include "support/turn.hpp"

namespace multiprocessing::runtime {
namespace {

/// What a process knows of its server. A forked child has one of its own: in its parent's another thread may
/// have held the mutex. Never destroyed.
struct Servers {
  const int owner = platform::current_pid();
  Turn starting{"the fork server, which is being started"};  ///< of whoever starts one: there is only one
  std::shared_ptr<ServerHandle> current;                     ///< guarded by the registry's mutex
  Servers* of_parent = nullptr;                              ///< who looks for leaks shall find it in use
};

std::atomic<Servers*> servers_of_process{nullptr};

/// In a child that the library forked, with the registry's mutex held.
void let_go_in_child() noexcept {
  if (auto* const servers = servers_of_process.load(); servers != nullptr && servers->current)
    servers->current->release();
}

Servers& servers() {
  auto* known = servers_of_process.load();
  if (known != nullptr && known->owner == platform::current_pid()) return *known;
  detail::Registry::instance().at_fork_in_child(&let_go_in_child);
  auto fresh = std::make_unique<Servers>();
  fresh->of_parent = known;
  if (!servers_of_process.compare_exchange_strong(known, fresh.get())) return *known;
  return *fresh.release();
}

/// The server as "spawn" sees it.
class ServerSubject : public Subject {
 public:
  explicit ServerSubject(const Preload& preload) noexcept : preload_(preload) {}
  [[nodiscard]] detail::ChildTarget target() const override { return {server_target(), "the fork server"}; }
  void encode(detail::Encoder& encoder) const override { detail::encode(encoder, preload_.functions); }
  void run(detail::Encoder*) override {}
  void now_in_child() noexcept override {}

 private:
  const Preload& preload_;
};

/// Only what concerns a server: it has no key, since none of its children gets one from it. It has no thread
/// that could watch its owner, and sees to that itself.
ChildSettings settings_of_server(const ChildSettings& of_child) {
  ChildSettings settings;
  settings.name = "ForkServer";
  settings.keep_running = true;
  settings.log_level = of_child.log_level;
  settings.log_to_stderr = of_child.log_to_stderr;
  settings.start_method = of_child.start_method;
  settings.executable = of_child.executable;
  settings.executable_prefix = of_child.executable_prefix;
  settings.parent_name = of_child.parent_name;
  settings.wants_result = true;  // what it throws is told to its owner alone
  return settings;
}

std::string folder_here() {
  std::error_code unknown;
  return std::filesystem::current_path(unknown).string();
}

std::shared_ptr<ServerHandle> start_server(ServerKey key, const Preload& preload,
                                           const StartRequest& of_child) {
  auto server = std::make_shared<ServerHandle>(std::move(key), folder_here());
  const ProcessOptions options;
  ServerSubject subject(preload);
  detail::InFlight in_flight;
  StartRequest request{settings_of_server(of_child.settings),
                       options,
                       subject,
                       {},
                       in_flight,
                       of_child.stop,
                       of_child.deadline};
  auto process = strategy_for("spawn").start(request);
  if (log_enabled(Level::info))
    log(Level::info, "started the fork server, pid " + std::to_string(process.pid()));
  const std::scoped_lock lock(registry_mutex());
  server->adopt(std::move(process), in_flight.take_parent_end());
  return server;
}

}  // namespace

std::shared_ptr<ServerHandle> server_for(const StartRequest& request) {
  auto& mine = servers();
  const auto preload = chosen_preload();
  ServerKey key{request.settings.executable, request.settings.executable_prefix, preload.generation};
  const Turn::Holder starting(mine.starting, request.stop, request.deadline);  // before the registry's mutex
  {
    const std::scoped_lock lock(registry_mutex());
    if (mine.current && mine.current->key() == key) return mine.current;
  }
  auto server = start_server(std::move(key), preload, request);
  auto replaced = server;
  const std::scoped_lock lock(registry_mutex());
  std::swap(mine.current, replaced);
  return server;
}

void forget_server(const std::shared_ptr<ServerHandle>& server) {
  auto& mine = servers();
  std::shared_ptr<ServerHandle> gone;
  const std::scoped_lock lock(registry_mutex());
  if (mine.current == server) gone = std::exchange(mine.current, nullptr);
}

}  // namespace multiprocessing::runtime
