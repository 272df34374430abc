// Function identity: descriptor and function as offsets into images, and the table of registered names.
#include "launch/identity.hpp"

#include "contract/crash.hpp"
#include "contract/system.hpp"
#include "launch/registry_mutex.hpp"

#include <cstdint>
#include <map>
#include <multiprocessing/context.hpp>
#include <multiprocessing/errors.hpp>
#include <mutex>
#include <utility>

namespace multiprocessing::runtime {
namespace {

/// Names are registered before freeze_support() and looked up later. Guarded by the registry's mutex; never
/// destroyed, because children may be started during static destruction.
struct Names {
  std::map<std::string, detail::Target, std::less<>> targets;
};

Names& names() {
  static Names& instance = *new Names;
  return instance;
}

bool same(const detail::Target& a, const detail::Target& b) noexcept {
  return a.descriptor == b.descriptor && a.function == b.function;
}

std::string name_of(const detail::Target& target) {
  const std::scoped_lock lock(registry_mutex());
  for (const auto& [name, registered] : names().targets)
    if (same(registered, target)) return name;
  return {};
}

platform::CodeLocation location_of(const void* address, const std::string& type_name) {
  // Under the mutex that a fork takes: a child of another thread shall not find the loader's lock taken.
  std::unique_lock lock(registry_mutex());
  auto location = platform::locate(address);
  lock.unlock();
  if (!location)
    throw RuntimeError("the code of the target " + type_name +
                       " lies in no loaded program or library, so that no other process can find it");
  return std::move(*location);
}

[[noreturn]] void refuse(const platform::CodeLocation& location, const platform::Error& error) {
  using platform::Condition;
  if (error.condition == Condition::not_found)
    throw RuntimeError("the target's code is in '" + location.path + "', which cannot be loaded here");
  throw RuntimeError("this executable's '" + location.image.name + "' is another build than the parent's ('" +
                     location.path + "'); start children from the same build, or use register_task()");
}

const void* address_of(const platform::CodeLocation& location) {
  auto address = platform::resolve(location);
  if (!address && address.error().condition == platform::Condition::not_found && !location.main_executable) {
    if (const auto loaded = platform::load_image(location.path); !loaded) refuse(location, loaded.error());
    platform::refresh_crash_images();
    address = platform::resolve(location);
  }
  if (!address) refuse(location, address.error());
  return *address;
}

const detail::TaskDescriptor* checked_descriptor(const TargetRecord& record) {
  const void* address = address_of(record.descriptor);
  const bool aligned = reinterpret_cast<std::uintptr_t>(address) % alignof(detail::TaskDescriptor) == 0;
  if (!aligned || !platform::readable_range(address, sizeof(detail::TaskDescriptor)))
    refuse(record.descriptor, {platform::Condition::corrupt});
  const auto* descriptor = static_cast<const detail::TaskDescriptor*>(address);
  if (descriptor->magic != detail::task_magic || descriptor->signature != record.signature)
    refuse(record.descriptor, {platform::Condition::corrupt});
  return descriptor;
}

const detail::Target* registered_target(const std::string& name) {
  const std::scoped_lock lock(registry_mutex());
  const auto found = names().targets.find(name);
  return found == names().targets.end() ? nullptr : &found->second;
}

/// By its place in an image.
detail::Target target_at(const TargetRecord& record) {
  detail::Target target{checked_descriptor(record), nullptr};
  if (record.has_function) {
    target.function = address_of(record.function);
    if (!platform::executable_address(target.function))
      refuse(record.function, {platform::Condition::corrupt});
  }
  return target;
}

/// For messages of a child that is another program than its parent.
std::string this_program() {
  const auto path = platform::executable_path();
  return path ? "'" + path->real + "'" : "this executable";
}

}  // namespace

TargetRecord describe_target(const detail::Target& target, std::string type_name) {
  if (target.descriptor == nullptr) throw TypeError("there is no target to run in another process");
  TargetRecord record;
  record.registered_name = name_of(target);
  record.signature = target.descriptor->signature;
  record.descriptor = location_of(target.descriptor, type_name);
  record.has_function = target.function != nullptr;
  if (record.has_function) record.function = location_of(target.function, type_name);
  record.type_name = std::move(type_name);
  return record;
}

detail::Target find_target(const TargetRecord& record) {
  const std::string& name = record.registered_name;
  if (name.empty()) return target_at(record);
  if (const auto* target = registered_target(name)) {
    if (target->descriptor->signature == record.signature) return *target;
    throw RuntimeError("the task '" + name + "' is registered in " + this_program() +
                       " with other parameters or another result than its caller's, " + record.type_name);
  }
  // Who runs the same build needs no name.
  try {
    return target_at(record);
  } catch (const RuntimeError& error) {
    throw RuntimeError("the task '" + name + "' is not registered in " + this_program() + ", and " +
                       error.what());
  }
}

}  // namespace multiprocessing::runtime

namespace multiprocessing::detail {

void register_target(std::string_view name, Target target) {
  if (name.empty()) throw ValueError("register_task: the name is empty");
  auto& names = runtime::names();
  const std::scoped_lock lock(runtime::registry_mutex());
  const auto [place, inserted] = names.targets.emplace(std::string(name), target);
  if (!inserted && !runtime::same(place->second, target))
    throw ValueError("register_task: the name '" + std::string(name) + "' stands for another task already");
}

}  // namespace multiprocessing::detail
