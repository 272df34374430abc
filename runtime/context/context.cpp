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

/// What was chosen, which a child takes over before anybody there asks for the methods. Guarded by the
/// registry's mutex, which a fork finds free.
struct Choice {
  std::string method;    ///< empty: none is fixed
  bool adopted = false;  ///< the parent's, of which nobody has asked yet whether this system knows it
  Executable executable;
};

/// Never destroyed: children may be started during static destruction.
Choice& choice() {
  static Choice& instance = *new Choice;
  return instance;
}

/// Made when somebody asks first, which most children never do. Does not change afterwards.
struct StartMethods {
  std::vector<std::unique_ptr<StartStrategy>> known;  ///< the system's own default first

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

  /// The one that is fixed; empty if none is. With the registry's mutex held.
  [[nodiscard]] std::string& chosen() const noexcept {
    auto& [method, adopted, executable] = choice();
    // The child of another executable may know fewer methods; it then has its own default.
    if (std::exchange(adopted, false) && find(method) == nullptr) method.clear();
    return method;
  }
};

/// Not with the registry's mutex held. Never destroyed, as the choice.
const StartMethods& methods() {
  static const StartMethods& instance = *new StartMethods;
  return instance;
}

}  // namespace

StartStrategy& strategy_for(std::string_view name) {
  const auto& table = methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  if (!name.empty()) return table.get(name);
  auto& chosen = table.chosen();
  if (chosen.empty()) chosen = table.preferred();
  return table.get(chosen);
}

std::string start_method_in_force() {
  const auto& table = methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  const auto& chosen = table.chosen();
  return chosen.empty() ? table.preferred() : chosen;
}

void adopt_start_method(std::string method) {
  const std::scoped_lock lock(runtime::registry_mutex());
  choice().method = std::move(method);
  choice().adopted = true;
}

void register_own_tasks() { static_cast<void>(methods()); }

Executable chosen_executable() {
  const std::scoped_lock lock(runtime::registry_mutex());
  return choice().executable;
}

void choose_executable(Executable executable) {
  const std::scoped_lock lock(runtime::registry_mutex());
  choice().executable = std::move(executable);
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
  const auto& table = runtime::methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  const auto& chosen = table.chosen();
  return chosen.empty() ? std::nullopt : std::optional(chosen);
}

void set_start_method(std::string_view method, bool force) {
  const auto& table = runtime::methods();
  const std::scoped_lock lock(runtime::registry_mutex());
  const auto name = table.get(method).name();
  auto& chosen = table.chosen();
  if (!chosen.empty() && !force)
    throw RuntimeError("set_start_method(): the start method is '" + chosen +
                       "' already; it is set once, before it is used, or with force");
  chosen = name;
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
