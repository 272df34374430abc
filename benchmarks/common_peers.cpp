// Starts the programs of the peers. The build names those that it found.
#include "peers.hpp"

namespace benchmarks {

#if defined(MULTIPROCESSING_BENCHMARK_TBB)
Measure tbb(const std::string& arguments) {
  const std::string command = "'" MULTIPROCESSING_BENCHMARK_TBB "' " + arguments;
  return [=] { return program_seconds(command).value_or(0); };
}
#else
Measure tbb(const std::string&) { return {}; }
#endif

#if defined(MULTIPROCESSING_BENCHMARK_MPI)
Measure mpi(int ranks, const std::string& arguments) {
  // OpenMPI refuses root, and more ranks than processors, unless it is told that they are meant.
  const std::string command =
      "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
      "'" MULTIPROCESSING_BENCHMARK_MPI_START "' -n " +
      std::to_string(ranks) + " '" MULTIPROCESSING_BENCHMARK_MPI "' " + arguments;
  return [=] { return program_seconds(command).value_or(0); };
}
#else
Measure mpi(int, const std::string&) { return {}; }
#endif

}  // namespace benchmarks
