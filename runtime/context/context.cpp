// Start methods and contexts: which there are on this system, which is the default, and who chose it.
#include <multiprocessing/context.hpp>

#include <algorithm>
#include <list>
#include <memory>
#include <multiprocessing/errors.hpp>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/system.hpp"
#include "forkserver/forkserver.hpp"
#include "launch/registry_mutex.hpp"
#include "launch/start_strategy.hpp"

namespace multiprocessing {
namespace runtime {
namespace {

/// Guarded by the registry's mutex, which a fork finds free.
struct StartMethods {
  std::vector<std::unique_ptr<StartStrategy>> known;  ///< the system's own default first
  std::string chosen;                                 ///< empty: none is fixed
  Executable executable;

  StartMethods() {
    known.push_back(make_spawn_strategy());
    if (!platform::capabilities().fork) return;
    known.push_back(make_fork_strategy());
    if (platform::capabilities().fork_is_default) std::swap(known.front(), known.back());
    if (platform::capabilities().child_handover) known.push_back(make_forkserver_strategy());
  }

  [[nodiscard]] StartStrategy* find(std::string_view name) const noexcept {
    const auto found = std::ranges::find_if(known, [=](const auto& each) { return each->name() == name; });
    return found == known.end() ? nullptr : found->get();
  }

  [[nodiscard]] StartStrategy& get(std::string_view name) const {
    if (auto* strategy = find(name)) return *strategy;
    std::string names;
    for (const auto& each : known) names += (names.empty() ? "'" : ", '") + std::string(each->name()) + "'";
    throw ValueError("there is no start method '" + std::string(name) + "' on this system; it has " + names);
  }

  /// What is used while none is fixed.
  [[nodiscard]] std::string preferred() const {
    const auto wish = platform::environment_variable("MULTIPROCESSING_START_METHOD");
    return wish && !wish->empty() ? std::string(get(*wish).name()) : std::string(known.front()->name());
  }
};

/// Never destroyed: children may be started during static destruction.
StartMethods& methods() {
  static StartMethods& instance = *new StartMethods;
  return instance;
}

}  // namespace

StartStrategy& strategy_for(std::string_view name) {
  auto& table = methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  if (!name.empty()) return table.get(name);
  if (table.chosen.empty()) table.chosen = table.preferred();
  return table.get(table.chosen);
}

std::string start_method_in_force() {
  auto& table = methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  return table.chosen.empty() ? table.preferred() : table.chosen;
}

void adopt_start_method(const std::string& method) {
  auto& table = methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  // The child of another executable may know fewer methods; it then has its own default.
  if (table.find(method) != nullptr) table.chosen = method;
}

Executable chosen_executable() {
  auto& table = methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  return table.executable;
}

void choose_executable(Executable executable) {
  auto& table = methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  table.executable = std::move(executable);
}

}  // namespace runtime

std::vector<std::string> get_all_start_methods() {
  std::vector<std::string> names;
  for (const auto& each : runtime::methods().known) names.emplace_back(each->name());
  return names;
}

std::string get_start_method() { return std::string(runtime::strategy_for("").name()); }

std::optional<std::string> get_start_method(bool allow_none) {
  if (!allow_none) return get_start_method();
  auto& table = runtime::methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  return table.chosen.empty() ? std::nullopt : std::optional(table.chosen);
}

void set_start_method(std::string_view method, bool force) {
  auto& table = runtime::methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  const auto name = table.get(method).name();
  if (!table.chosen.empty() && !force)
    throw RuntimeError("set_start_method(): the start method is '" + table.chosen +
                       "' already; it is set once, before it is used, or with force");
  table.chosen = name;
}

void set_executable(PathView path, std::vector<std::string> prefix) {
  runtime::choose_executable({std::move(path).string(), std::move(prefix)});
}

// ---- Context

Context::Context(std::string method) : method_(std::move(method)) {}

std::vector<std::string> Context::get_all_start_methods() const {
  return multiprocessing::get_all_start_methods();
}

std::string Context::get_start_method() const {
  return method_.empty() ? multiprocessing::get_start_method() : method_;
}

std::optional<std::string> Context::get_start_method(bool allow_none) const {
  if (method_.empty()) return multiprocessing::get_start_method(allow_none);
  return method_;
}

void Context::set_start_method(std::string_view method, bool force) const {
  if (!method_.empty())
    throw ValueError("set_start_method(): this context has the start method '" + method_ + "' for ever");
  multiprocessing::set_start_method(method, force);
}

Context& Context::get_context() const {
  return method_.empty() ? multiprocessing::get_context() : multiprocessing::get_context(method_);
}
Context& Context::get_context(std::string_view method) const { return multiprocessing::get_context(method); }

Context& get_context() {
  static Context& instance = *new Context("");
  return instance;
}

Context& get_context(std::string_view method) {
  static std::list<std::pair<std::string, Context>>& contexts =
      *new std::list<std::pair<std::string, Context>>;
  const std::string name(
      runtime::strategy_for(method.empty() ? runtime::start_method_in_force() : method).name());
  const std::scoped_lock lock(runtime::registry_mutex());
  for (auto& [known, context] : contexts)
    if (known == name) return context;
  return contexts.emplace_back(name, Context(name)).second;
}

}  // namespace multiprocessing
