// Source lines through libbacktrace, which gcc brings along; where the build did not find it, traces have
// function names only. Its state cannot be freed, so one is made and kept for the life of the process.
#include "mapped_images.hpp"

#ifdef MULTIPROCESSING_HAVE_LIBBACKTRACE
#include <backtrace.h>
#endif

namespace multiprocessing::platform::posix {

#ifdef MULTIPROCESSING_HAVE_LIBBACKTRACE
namespace {

void ignore_error(void*, const char*, int) {}

// Called for each function that was inlined here, innermost first. The last is the one that the symbol
// table names, so that name and line agree.
int take_line(void* argument, std::uintptr_t, const char* file, int line, const char*) {
  Symbol& symbol = *static_cast<Symbol*>(argument);
  if (file == nullptr || line <= 0) return 0;
  symbol.file = file;
  symbol.line = static_cast<std::uint32_t>(line);
  return 0;
}

}  // namespace

void add_source_line(const void* address, Symbol& symbol) {
  static backtrace_state* const state = ::backtrace_create_state(nullptr, 1, ignore_error, nullptr);
  if (state == nullptr) return;
  ::backtrace_pcinfo(state, reinterpret_cast<std::uintptr_t>(address), take_line, ignore_error, &symbol);
}
#else
void add_source_line(const void*, Symbol&) {}
#endif

}  // namespace multiprocessing::platform::posix
