// The bootstrap record: what a child is told that is no copy of its parent. How it is written, brought to the
// child over the control channel, and what the child does with it.
#pragma once

#include <functional>
#include <memory>
#include <multiprocessing/detail/archive.hpp>

#include "contract/process.hpp"
#include "launch/self.hpp"
#include "launch/start_strategy.hpp"

namespace multiprocessing::runtime {

/// Fills in what `request.settings` does not say yet, the target and the parent, and writes the record.
/// Throws TypeError, RuntimeError, SerializationError, ValueError (too many handles).
[[nodiscard]] detail::Encoder write_record(StartRequest& request);

/// Sends the record to a child that waits for it. One that has ended meanwhile has ended: its exit code
/// tells how. Throws OSError, CancelledError, TimeoutError; the child is killed then. Blocks.
void deliver_record(platform::ChildProcess& child, const detail::Encoder& record, StartRequest& request);

/// In the child: waits for the record, does what it says, reports, and returns the exit code. A parent that
/// goes without a word ends this process. `begin` runs first; what it throws is reported too.
[[nodiscard]] int run_from_record(const std::shared_ptr<ParentLink>& link, bool forked,
                                  const std::function<void()>& begin = {});

/// What the options say about the child's own surroundings, for a child that sees to them itself.
[[nodiscard]] OwnSetup setup_from(const ProcessOptions& options);
/// In the child. Throws OSError.
void apply_setup(const OwnSetup& setup);
/// "NAME=value" for each variable; nullopt: as the parent.
[[nodiscard]] std::optional<std::vector<std::string>> environment_entries(const ProcessOptions& options);

}  // namespace multiprocessing::runtime
