// clone() under a name that sanitizers do not intercept: they expect what it makes to have memory, or
// thread-local storage, of its own. Manual page: clone(2).
#pragma once

#include <sched.h>

#if defined(__GLIBC__)
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#define MULTIPROCESSING_CLONE __clone
#else
#define MULTIPROCESSING_CLONE ::clone
#endif
