// A fault plan that is empty before a test and after it, whatever the test leaves in it.
#pragma once

#include "contract/fault.hpp"

namespace multiprocessing::test_support {

struct CleanPlan {
  CleanPlan() { platform::fault_plan::clear(); }
  CleanPlan(const CleanPlan&) = delete;
  CleanPlan& operator=(const CleanPlan&) = delete;
  ~CleanPlan() { platform::fault_plan::clear(); }
};

}  // namespace multiprocessing::test_support
