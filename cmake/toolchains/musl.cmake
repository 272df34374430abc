# Linux x86-64 with musl and libc++, by zig; programs are static and run on the machine that built them.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(mp_zig_target x86_64-linux-musl)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
# spdlog up to 1.13 calls fstat64, which musl since 1.2.4 declares only on demand.
string(APPEND CMAKE_CXX_FLAGS_INIT " -D_LARGEFILE64_SOURCE")
