// What a fork server is told of a child that it is to fork, out of any bytes. The first byte says how many
// handles come behind them.
#include "contract/handle_transfer.hpp"
#include "forkserver/errand.hpp"
#include "target.hpp"

#include <vector>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace multiprocessing;
  using Source = platform::StreamBinding::Source;
  fuzz::Input input(data, size);
  const std::size_t sent = input.number() % 5;
  auto ends = platform::channel_pair();
  fuzz::demand(ends.has_value());
  fuzz::demand(ends->first.write_all(input.take(1024), platform::Deadline::never()).has_value());
  const std::vector<platform::RawHandle> handles(sent, ends->first.get());
  if (sent > 0) static_cast<void>(platform::send_handles(ends->first, handles, platform::Deadline::now()));
  const auto streams = runtime::read_errand(ends->second);
  if (!streams) return 0;
  std::size_t named = 0;
  for (const auto& binding : streams->bindings) {
    fuzz::demand(binding.source <= Source::handle);
    fuzz::demand((binding.handle != platform::no_handle) == (binding.source == Source::handle));
    if (binding.source == Source::handle) ++named;
  }
  fuzz::demand(streams->handles.size() == named && named <= sent);
  return 0;
}
