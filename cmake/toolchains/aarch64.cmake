# Linux aarch64, by the distribution's cross compiler; programs run under qemu's user mode, and start
# their children through it, since nothing says that the kernel does so by itself.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
find_program(MULTIPROCESSING_QEMU qemu-aarch64-static HINTS /usr/bin REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR "${MULTIPROCESSING_QEMU};-L;/usr/aarch64-linux-gnu")
set(MULTIPROCESSING_TEST_LAUNCHER "${MULTIPROCESSING_QEMU} -L /usr/aarch64-linux-gnu")
set(MULTIPROCESSING_HOST_HEADERS ON)
