// Windows has no floor here yet: rows show our side alone.
#include "common.hpp"

namespace benchmarks {

std::string own_path(const char* argv0) { return argv0; }
Measure bare_spawn(std::vector<std::string>) { return {}; }
Measure bare_fork() { return {}; }
Measure bare_supervised_fork() { return {}; }
Measure bare_zygote() { return {}; }
Measure bare_supervised_zygote() { return {}; }
Measure bare_supervised_spawn(std::string) { return {}; }
void end_supervised(int) {}
std::vector<long long> copies_of_handle(long long, int) { return {}; }
void close_handles(const std::vector<long long>&) {}
void bare_wait(const std::vector<long long>&) {}
std::optional<double> program_seconds(const std::string&) { return std::nullopt; }
std::optional<double> python_seconds(const std::string&, const std::string&) { return std::nullopt; }
std::string machine() { return "Windows"; }

}  // namespace benchmarks
