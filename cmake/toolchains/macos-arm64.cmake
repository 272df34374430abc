# macOS on Apple's processors, by zig.
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(mp_zig_target aarch64-macos)
include("${CMAKE_CURRENT_LIST_DIR}/macos.cmake")
