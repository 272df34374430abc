# macOS on Intel's processors, by zig.
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(mp_zig_target x86_64-macos)
include("${CMAKE_CURRENT_LIST_DIR}/macos.cmake")
