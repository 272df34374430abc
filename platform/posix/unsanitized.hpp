// Code that runs in a child which shares its parent's memory must not be instrumented: sanitizers would
// record what the child does as the parent's doing. clang's no_sanitize alone still counts calls and returns
// for ThreadSanitizer, and such a child does not return.
#pragma once

#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define MULTIPROCESSING_UNSANITIZED \
  __attribute__((disable_sanitizer_instrumentation, no_sanitize("address", "thread", "undefined")))
#endif
#endif
#ifndef MULTIPROCESSING_UNSANITIZED
#define MULTIPROCESSING_UNSANITIZED __attribute__((no_sanitize("address", "thread", "undefined")))
#endif
