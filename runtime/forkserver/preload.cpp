// Keeps what set_forkserver_preload() chose, written down already: what cannot travel fails there.
#include "preload.hpp"

#include <multiprocessing/context.hpp>
#include <mutex>
#include <utility>

#include "launch/registry_mutex.hpp"

namespace multiprocessing {
namespace runtime {
namespace {

/// Guarded by the registry's mutex, which a fork finds free.
Preload& chosen() {
  static Preload& instance = *new Preload;
  return instance;
}

}  // namespace

Preload chosen_preload() {
  const std::scoped_lock lock(registry_mutex());
  return chosen();
}

}  // namespace runtime

namespace detail {

void set_forkserver_preload(const std::vector<std::unique_ptr<Task>>& functions) {
  std::vector<runtime::PreloadedFunction> written;
  for (const auto& function : functions) {
    Encoder data;
    function->encode(data);
    const auto bytes = data.bytes();
    written.push_back({runtime::describe_target(function->target(), "of the fork server's preload"),
                       std::vector<std::byte>(bytes.begin(), bytes.end())});
  }
  auto& chosen = runtime::chosen();
  const std::scoped_lock lock(runtime::registry_mutex());
  chosen.functions = std::move(written);
  ++chosen.generation;
}

}  // namespace detail
}  // namespace multiprocessing
