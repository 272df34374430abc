// Windows has no floors of pools yet: rows show our side alone.
#include "pool_floors.hpp"

namespace benchmarks {

Measure bare_open_and_close(int) { return {}; }
Measure bare_map(int, std::size_t, std::size_t) { return {}; }
Measure bare_call_after_pause(int) { return {}; }
Measure bare_call_by_thread(int) { return {}; }
std::uint64_t peak_memory() { return 0; }

}  // namespace benchmarks
