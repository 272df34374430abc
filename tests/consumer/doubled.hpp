// What the tests with each framework run in another process.
#pragma once

#include <multiprocessing/multiprocessing.hpp>

inline int doubled(int x) { return 2 * x; }

inline int doubled_elsewhere(int x) { return multiprocessing::get_context("spawn").call(doubled, x); }
