// Other libraries, measured beside ours where they are installed; a row says so where they are not.
#pragma once

#include <string>

#include "common.hpp"

namespace benchmarks {

/// What peer_tbb.cpp prints for these arguments. Empty without TBB.
[[nodiscard]] Measure tbb(const std::string& arguments);

/// What peer_mpi.cpp prints, run as so many ranks. Empty without MPI.
[[nodiscard]] Measure mpi(int ranks, const std::string& arguments);

}  // namespace benchmarks
