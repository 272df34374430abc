// Whether the options of a process make sense, looked at before anything is started.
#pragma once

#include <multiprocessing/process_options.hpp>

namespace multiprocessing::runtime {

/// Throws ValueError that names the option and the rule, OSError for a working directory that is none.
void check_options(const ProcessOptions& options);

}  // namespace multiprocessing::runtime
