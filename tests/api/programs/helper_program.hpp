// What the program other_program and its light helper both know.
#pragma once

inline int shared_task(int x) { return x * 10; }
