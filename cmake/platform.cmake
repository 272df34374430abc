# The only file that picks a backend. It decides which sources of platform/ are compiled, what the
# system's handle looks like in our public headers, and which libraries of the system are needed.
set(MULTIPROCESSING_BACKEND "" CACHE STRING "posix, win32 or stub; empty: by the target system")

set(mp_backend "${MULTIPROCESSING_BACKEND}")
if(NOT mp_backend)
  if(WIN32)
    set(mp_backend win32)
  else()
    set(mp_backend posix)
  endif()
endif()

set(mp_native_handle int)
set(mp_platform_folders "platform/${mp_backend}")
set(mp_system_libraries Threads::Threads)
set(mp_system_definitions "")
set(mp_default_fallbacks "")  # the paths of other systems that this one can be forced to take

if(mp_backend STREQUAL "posix")
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    list(APPEND mp_platform_folders platform/posix/linux platform/posix/elf platform/posix/forked)
    set(mp_default_fallbacks no-pidfd no-clone no-close-range no-epoll no-eventfd no-atomic-cloexec no-getentropy no-sentinel-transfer no-unread-notice no-abandoned-notice
      no-kept-handles bare-lifeline)  # the last: what a process without privileges has anyway
  elseif(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
    list(APPEND mp_platform_folders platform/posix/macos platform/posix/bsd)
  elseif(CMAKE_SYSTEM_NAME STREQUAL "FreeBSD")
    list(APPEND mp_platform_folders platform/posix/freebsd platform/posix/elf platform/posix/bsd platform/posix/forked)
  else()
    message(FATAL_ERROR "multiprocessing: no leaf of the posix backend for ${CMAKE_SYSTEM_NAME}; "
                        "see platform/README.md, or build with -DMULTIPROCESSING_BACKEND=stub")
  endif()
  list(APPEND mp_system_libraries ${CMAKE_DL_LIBS})
  # How the stack of a throw is seen depends on the C++ runtime.
  include(CheckCXXSymbolExists)
  check_cxx_symbol_exists(_LIBCPP_VERSION version MULTIPROCESSING_HAVE_LIBCXX)
  if(MULTIPROCESSING_HAVE_LIBCXX)
    list(APPEND mp_platform_folders platform/posix/libcxx)
  else()
    list(APPEND mp_platform_folders platform/posix/libstdcxx)
  endif()
  if(MULTIPROCESSING_HAVE_LIBBACKTRACE)
    list(APPEND mp_system_libraries backtrace)
    list(APPEND mp_system_definitions MULTIPROCESSING_HAVE_LIBBACKTRACE)
  endif()
elseif(mp_backend STREQUAL "win32")
  set(mp_native_handle "void*")
  set(mp_default_fallbacks no-job-list)
  list(APPEND mp_system_libraries ws2_32 mswsock bcrypt ntdll shell32 userenv advapi32)
  set(mp_system_definitions _WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN NOMINMAX UNICODE _UNICODE)
elseif(NOT mp_backend STREQUAL "stub")
  message(FATAL_ERROR "multiprocessing: MULTIPROCESSING_BACKEND is posix, win32 or stub, not '${mp_backend}'")
endif()

set(MULTIPROCESSING_FORCED_FALLBACKS "${mp_default_fallbacks}" CACHE STRING
    "Fallbacks for each of which the conformance suite is run once more")

# The images of a program are told apart by their build ids, which not every linker writes unasked.
# Mach-O images always have one.
include(CheckLinkerFlag)
set(mp_build_id "")
if(NOT APPLE AND NOT MSVC)
  check_linker_flag(CXX "-Wl,--build-id=sha1" MULTIPROCESSING_HAVE_BUILD_ID)
  if(MULTIPROCESSING_HAVE_BUILD_ID)
    set(mp_build_id "-Wl,--build-id=sha1")
  endif()
endif()
