# How our own code is compiled: mp_flags carries the language level, the warnings and the visibility.
# Nothing here reaches a user's targets, and nothing of it is applied to a dependency's headers.
add_library(mp_flags INTERFACE)
target_compile_features(mp_flags INTERFACE cxx_std_20)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(MSVC)
  target_compile_options(mp_flags INTERFACE /W4 /permissive- /utf-8 /Zc:__cplusplus /Zc:preprocessor /bigobj /EHsc)
  set(mp_werror /WX)
else()
  target_compile_options(mp_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  # So that a program that links us statically with --gc-sections has what it uses alone.
  target_compile_options(mp_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-ffunction-sections -fdata-sections>)
  set(mp_werror -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(mp_flags INTERFACE -Wno-restrict)  # takes a literal before a string for an overlap
  endif()
endif()
if(MULTIPROCESSING_WERROR)
  target_compile_options(mp_flags INTERFACE ${mp_werror})
endif()

# A sanitizer has to see every object of a program, so it is the one flag that is set for the whole tree.
if(MULTIPROCESSING_SANITIZE)
  add_compile_options(-fsanitize=${MULTIPROCESSING_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # The check of virtual tables opens a pipe to see whether memory can be read, and reports a fault where the
  # tests have used up all descriptors.
  if(MULTIPROCESSING_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize=vptr)
  endif()
  add_link_options(-fsanitize=${MULTIPROCESSING_SANITIZE})
endif()

if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(MULTIPROCESSING_CCACHE ccache)
  mark_as_advanced(MULTIPROCESSING_CCACHE)
  if(MULTIPROCESSING_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${MULTIPROCESSING_CCACHE}")
  endif()
endif()

# The standard headers that most of our files include, compiled once for each target. Off by default, and in the presets
# for macOS, musl and MSVC, where a file has to show that it includes what it uses.
function(mp_precompile target)
  if(MULTIPROCESSING_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE <algorithm> <array> <atomic> <chrono> <condition_variable> <cstddef>
      <cstdint> <exception> <functional> <map> <memory> <mutex> <optional> <span> <string> <string_view> <system_error>
      <thread> <type_traits> <utility> <vector>)
  endif()
endfunction()

# Compiles the sources of a target a few at a time, in the presets whose time matters and where another one shows that
# each file stands alone: dev for all that runs on Linux, musl for libc++, and the platform's own files on every system,
# where it is enough that one of the two platform libraries shows it.
function(mp_unite target part)
  if(part IN_LIST MULTIPROCESSING_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()
