// Waits for nothing.
#include "contract/wait.hpp"

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

Status wait_one(RawHandle, Deadline) noexcept {
  if (const auto fault = fault_point(Call::wait_one)) return *fault;
  return not_supported("wait_one");
}

Result<std::size_t> wait_either(RawHandle, RawHandle, Deadline) noexcept {
  if (const auto fault = fault_point(Call::wait_either)) return *fault;
  return not_supported("wait_either");
}

Result<std::vector<std::size_t>> wait_any(std::span<const RawHandle> handles, Deadline) {
  if (const auto fault = fault_point(Call::wait_any)) return *fault;
  if (handles.empty()) return std::vector<std::size_t>();
  return not_supported("wait_any");
}

Result<Wakeup> Wakeup::create() {
  if (const auto fault = fault_point(Call::wakeup_create)) return *fault;
  return not_supported("Wakeup::create");
}

void Wakeup::notify() const noexcept {}
void Wakeup::reset() const noexcept {}

class WaitSet::State {};

WaitSet::WaitSet(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
WaitSet::WaitSet(WaitSet&&) noexcept = default;
WaitSet& WaitSet::operator=(WaitSet&&) noexcept = default;
WaitSet::~WaitSet() = default;

Result<WaitSet> WaitSet::create() {
  if (const auto fault = fault_point(Call::wait_set_create)) return *fault;
  return not_supported("WaitSet::create");
}

Status WaitSet::add(RawHandle, std::size_t) {
  if (const auto fault = fault_point(Call::wait_set_add)) return *fault;
  return not_supported("WaitSet::add");
}

Status WaitSet::remove(std::size_t) { return not_supported("WaitSet::remove"); }

Status WaitSet::wait(std::vector<std::size_t>& ready, Deadline) {
  ready.clear();
  if (const auto fault = fault_point(Call::wait_set_wait)) return *fault;
  return not_supported("WaitSet::wait");
}

std::size_t WaitSet::size() const noexcept { return 0; }

}  // namespace multiprocessing::platform
