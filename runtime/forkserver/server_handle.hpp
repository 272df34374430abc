// What a process has of its fork server: started when it is first needed, again when it has died, and another
// one when other things are to be preloaded or another program is to be executed.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "launch/start_strategy.hpp"
#include "support/turn.hpp"
#include "wire/frame.hpp"

namespace multiprocessing::runtime {

/// What makes one server differ from another.
struct ServerKey {
  std::string executable;
  std::vector<std::string> executable_prefix;
  std::uint64_t preload = 0;  ///< Preload::generation
  friend bool operator==(const ServerKey&, const ServerKey&) = default;
};

/// One fork server. When this goes, the server ends as soon as its children have. Thread-safe.
class ServerHandle {
 public:
  ServerHandle(ServerKey key, std::string folder) : key_(std::move(key)), folder_(std::move(folder)) {}
  ServerHandle(const ServerHandle&) = delete;
  ServerHandle& operator=(const ServerHandle&) = delete;

  [[nodiscard]] const ServerKey& key() const noexcept { return key_; }
  /// Where it was started; empty if nobody could tell.
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

  /// Has it fork a child, whose ends are in `request.in_flight`. nullopt if there is no server any more, or
  /// none that has room, and so no child that would run anything. Throws OSError, CancelledError,
  /// TimeoutError. Blocks.
  [[nodiscard]] std::optional<platform::ChildProcess> fork_child(StartRequest& request);

  /// Of one that is gone: what it threw; empty if it threw nothing. Blocks while it says so.
  [[nodiscard]] std::string raised();
  /// Of one that is gone: how it ended, in words. Blocks until it has, but not for long.
  [[nodiscard]] std::string end_in_words();

  /// With the registry's mutex held: takes over what was started; closes all of it.
  void adopt(platform::ChildProcess process, platform::Channel channel) noexcept;
  void release() noexcept;

 private:
  [[nodiscard]] bool send_errand(StartRequest& request, const platform::Wakeup* wakeup);
  [[nodiscard]] bool wait_for_answer(StartRequest& request, const platform::Wakeup* wakeup) const;
  const ServerKey key_;
  const std::string folder_;
  platform::ChildProcess process_;
  platform::Channel channel_;
  Turn sending_{"the fork server"};  ///< of the channel: a server that is stopped takes nothing
  std::mutex listening_;
  FrameReader reader_;
};

/// The server of this process, started if there is none with this key. In a forked child that is another one.
/// Throws as the strategy "spawn" does. Blocks.
[[nodiscard]] std::shared_ptr<ServerHandle> server_for(const StartRequest& request);
/// It is gone: the next one who asks starts another.
void forget_server(const std::shared_ptr<ServerHandle>& server);

}  // namespace multiprocessing::runtime
