// Code that runs in a child which shares its parent's memory must not be instrumented: sanitizers would
// record what the child does as the parent's doing.
#pragma once

#define MULTIPROCESSING_UNSANITIZED __attribute__((no_sanitize("address", "thread", "undefined")))
