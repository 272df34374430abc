// Whether a test program may have an operator new of its own, so that its memory can be used up without
// waiting: not under a sanitizer, which has one already, and keeps what is freed.
#pragma once

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define MULTIPROCESSING_TEST_OWN_MEMORY 0
#endif
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define MULTIPROCESSING_TEST_OWN_MEMORY 0
#endif
#if !defined(MULTIPROCESSING_TEST_OWN_MEMORY)
#define MULTIPROCESSING_TEST_OWN_MEMORY 1
#endif
