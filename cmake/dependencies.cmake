# Finds what the library is built from, and makes one target for each dependency: mp_boost, mp_spdlog,
# mp_doctest, mp_cli11, and multiprocessing::public_dependencies for what our public headers include.
# All are used as headers only; a folder links exactly those that it may include.
include(cross_headers)
include(public_dependencies)
if(multiprocessing_missing)
  message(FATAL_ERROR "multiprocessing needs:${multiprocessing_missing}. `sh cmake/run.sh --deps-only` installs it.")
endif()

# A header-only library by the folder that holds `header`.
function(mp_header_library name header)
  if(MULTIPROCESSING_HEADERS_DIR)
    set(folder "${MULTIPROCESSING_HEADERS_DIR}")
  else()
    find_path(MULTIPROCESSING_${name}_DIR ${header})
    mark_as_advanced(MULTIPROCESSING_${name}_DIR)
    set(folder "${MULTIPROCESSING_${name}_DIR}")
  endif()
  if(NOT folder)
    message(FATAL_ERROR "multiprocessing: ${header} was not found. `sh cmake/run.sh --deps-only` installs it.")
  endif()
  add_library(${name} INTERFACE)
  target_include_directories(${name} SYSTEM INTERFACE "${folder}")
endfunction()

mp_header_library(mp_boost boost/version.hpp)
get_target_property(mp_boost_dir mp_boost INTERFACE_INCLUDE_DIRECTORIES)
file(STRINGS "${mp_boost_dir}/boost/version.hpp" mp_boost_version REGEX "#define BOOST_VERSION [0-9]+")
string(REGEX REPLACE "[^0-9]" "" mp_boost_version "${mp_boost_version}")
if(mp_boost_version LESS 108100)
  message(FATAL_ERROR "multiprocessing needs Boost 1.81 or later; ${mp_boost_dir} holds ${mp_boost_version}")
endif()
target_compile_definitions(mp_boost INTERFACE BOOST_ALL_NO_LIB BOOST_PROCESS_USE_STD_FS=1)
# From 1.86 on Boost.Process is a compiled library.
set(mp_needs_boost_process OFF)
if(NOT mp_boost_version LESS 108600)
  find_package(Boost CONFIG REQUIRED COMPONENTS process)
  target_link_libraries(mp_boost INTERFACE Boost::process)
  set(mp_needs_boost_process ON)
endif()

mp_header_library(mp_spdlog spdlog/spdlog.h)
mp_header_library(mp_fmt fmt/format.h)
target_compile_definitions(mp_fmt INTERFACE FMT_HEADER_ONLY)
target_compile_definitions(mp_spdlog INTERFACE SPDLOG_HEADER_ONLY SPDLOG_FMT_EXTERNAL)
target_link_libraries(mp_spdlog INTERFACE mp_fmt)

if(MULTIPROCESSING_BUILD_TESTS)
  mp_header_library(mp_doctest doctest/doctest.h)
endif()
if(MULTIPROCESSING_BUILD_EXAMPLES)
  mp_header_library(mp_cli11 CLI/CLI.hpp)
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# gcc ships libbacktrace beside its own libraries on Debian; elsewhere it is a package of its own.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES backtrace)
check_cxx_source_compiles("#include <backtrace.h>
  int main() { return backtrace_create_state(nullptr, 0, nullptr, nullptr) == nullptr; }"
  MULTIPROCESSING_HAVE_LIBBACKTRACE)
unset(CMAKE_REQUIRED_LIBRARIES)
