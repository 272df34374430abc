# What both macOS targets have in common; the file that includes this one sets the processor and
# mp_zig_target. Compiled and linked only: nothing here can run the programs.
set(CMAKE_SYSTEM_NAME Darwin)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
# zig brings the SDK and picks the architecture by its target.
set(CMAKE_OSX_SYSROOT "" CACHE STRING "")
set(CMAKE_OSX_ARCHITECTURES "" CACHE STRING "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "" CACHE STRING "")
set(CMAKE_INSTALL_NAME_TOOL "/bin/true" CACHE FILEPATH "")
set(CMAKE_CROSSCOMPILING_EMULATOR "")
