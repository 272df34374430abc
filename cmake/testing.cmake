# How tests are built and registered: one binary for each folder under tests/, one CTest test for each
# of its files, named <folder>.<stem> after the TEST_SUITE that the file declares.
#
# A file may say more in its first line:   // ctest: timeout=300 cost=60 labels=slow,soak serial
# The cost is about how many seconds it takes, where that is more than ten: CTest begins with what costs most.
#
# Programs beside the tests (programs/*.cpp) are built one by one; one whose first line begins with
# "// ctest:" is a test itself, passes by exit status 0 and skips by 77; it ends with test_support/verdict.hpp,
# because a status alone proves nothing under wine. It may also ask for arguments and for variants of how it is linked:    // ctest: args=--count=20 variants=static,no-pie,lto

set(mp_test_timeout 120)
if(CMAKE_CROSSCOMPILING)
  set(mp_test_timeout 180)
endif()
set(mp_test_output "${PROJECT_BINARY_DIR}/tests/bin")

# The environment of every test: sanitizers report by exit status, and a forked child is still watched.
set(mp_test_environment
  "ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1:handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0:allow_user_segv_handler=1"
  "LSAN_OPTIONS=report_objects=1"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=die_after_fork=0:atexit_sleep_ms=0:halt_on_error=1:second_deadlock_stack=1:handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0"
  "MULTIPROCESSING_SANITIZED=${MULTIPROCESSING_SANITIZE}")
if(CMAKE_CROSSCOMPILING)
  list(APPEND mp_test_environment "MULTIPROCESSING_TEST_EMULATED=1")  # tests are given more time
endif()
if(MULTIPROCESSING_TEST_LAUNCHER)  # set by a toolchain file whose programs cannot start each other
  list(APPEND mp_test_environment "MULTIPROCESSING_TEST_LAUNCHER=${MULTIPROCESSING_TEST_LAUNCHER}")
endif()

# Reads the marker in the first line of `file` into ctest_timeout, ctest_cost, ctest_labels, ctest_args,
# ctest_variants, ctest_serial and ctest_marked of the caller.
function(mp_read_marker file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(STRINGS "${file}" first LIMIT_COUNT 1)
  set(ctest_marked OFF)
  set(ctest_timeout ${mp_test_timeout})
  set(ctest_serial OFF)
  set(ctest_cost 0)
  foreach(word labels args variants)
    set(ctest_${word} "")
  endforeach()
  if(first MATCHES "^// ctest:(.*)$")
    set(ctest_marked ON)
    string(REGEX MATCHALL "[^ ]+" words "${CMAKE_MATCH_1}")
    foreach(word IN LISTS words)
      if(word STREQUAL "serial")
        set(ctest_serial ON)
      elseif(word MATCHES "^(timeout|cost|labels|args|variants)=(.*)$")
        string(REPLACE "," ";" ctest_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
      else()
        message(FATAL_ERROR "${file}: unknown word '${word}' after '// ctest:'")
      endif()
    endforeach()
  endif()
  foreach(word marked timeout cost labels args variants serial)
    set(ctest_${word} "${ctest_${word}}" PARENT_SCOPE)
  endforeach()
endfunction()

function(mp_set_test_properties name label)
  set(environment "${mp_test_environment}")
  if(NOT label MATCHES "^(contract|unit)$")  # which rethrow nothing in another thread
    list(TRANSFORM environment APPEND ":suppressions=${PROJECT_SOURCE_DIR}/tests/support/thread_sanitizer.supp"
      REGEX "^TSAN_OPTIONS=")
  endif()
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${ctest_timeout}
    COST ${ctest_cost}
    LABELS "${label};${ctest_labels}"
    RUN_SERIAL ${ctest_serial}
    SKIP_RETURN_CODE 77
    WORKING_DIRECTORY "${mp_test_output}"
    ENVIRONMENT "${environment};${ARGN}")
endfunction()

# The binary of one folder. MAIN is the library of its main(), if none of its files has it; UNITY_OFF compiles its
# files one by one. Only the files whose stems FALLBACK_STEMS matches are run for each of FALLBACKS. A fallback that START_FALLBACKS matches concerns only
# how processes are started and what they are given. ONLY, if not empty: a pattern of the stems that are built.
function(mp_add_test_folder folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "UNITY_OFF" "ONLY;MAIN;LABEL;TARGET;START_FALLBACKS;FALLBACK_STEMS" "LIBRARIES;FALLBACKS")
  file(GLOB files CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp")
  if(NOT files)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY mp_known_test_sources ${files})
  if(arg_ONLY)
    list(FILTER files INCLUDE REGEX "/(${arg_ONLY})[.]cpp$")
  endif()
  add_executable(${arg_TARGET} ${files})
  target_link_libraries(${arg_TARGET} PRIVATE mp_flags mp_doctest ${arg_MAIN} ${arg_LIBRARIES})
  target_link_options(${arg_TARGET} PRIVATE ${mp_build_id})
  target_precompile_headers(${arg_TARGET} PRIVATE <doctest/doctest.h> <string> <vector> <functional> <memory>)
  set_target_properties(${arg_TARGET} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${mp_test_output}")
  if(NOT arg_UNITY_OFF)
    set_target_properties(${arg_TARGET} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
  endif()
  foreach(file IN LISTS files)
    get_filename_component(stem "${file}" NAME_WE)
    if(stem STREQUAL "main")
      set_source_files_properties("${file}" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON SKIP_PRECOMPILE_HEADERS ON)
      continue()
    endif()
    mp_read_marker("${file}")
    add_test(NAME ${arg_LABEL}.${stem} COMMAND ${arg_TARGET} --test-suite=${arg_LABEL}.${stem})
    mp_set_test_properties(${arg_LABEL}.${stem} ${arg_LABEL})
    foreach(fallback IN LISTS arg_FALLBACKS)
      if(arg_START_FALLBACKS AND fallback MATCHES "${arg_START_FALLBACKS}" AND NOT stem MATCHES "^(process|fault|handle_transfer|capabilities)")
        continue()
      endif()
      if(arg_FALLBACK_STEMS AND NOT stem MATCHES "${arg_FALLBACK_STEMS}")
        continue()
      endif()
      set(name "${arg_LABEL}[${fallback}].${stem}")
      add_test(NAME "${name}" COMMAND ${arg_TARGET} --test-suite=${arg_LABEL}.${stem})
      mp_set_test_properties("${name}" ${arg_LABEL} "MULTIPROCESSING_FORCE=${fallback}")
      set_property(TEST "${name}" APPEND PROPERTY LABELS fallback)
    endforeach()
  endforeach()
endfunction()

# Flags of a link variant that a program's marker may ask for.
function(mp_apply_variant target variant)
  if(variant STREQUAL "static")
    target_link_options(${target} PRIVATE -static)
  elseif(variant STREQUAL "static-pie")
    target_link_options(${target} PRIVATE -static-pie)
    set_target_properties(${target} PROPERTIES BUILD_RPATH "")  # glibc's start code refuses one
  elseif(variant STREQUAL "no-pie")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fno-pie)
    target_link_options(${target} PRIVATE -no-pie)
  elseif(variant STREQUAL "lto")
    target_compile_options(${target} PRIVATE -flto)
    target_link_options(${target} PRIVATE -flto)
  elseif(variant STREQUAL "icf")
    target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections -O2)
    target_link_options(${target} PRIVATE -fuse-ld=gold -Wl,--icf=all -Wl,--gc-sections)
  elseif(variant STREQUAL "stripped")
    target_link_options(${target} PRIVATE -s)
  elseif(variant STREQUAL "no-build-id")
    target_link_options(${target} PRIVATE -Wl,--build-id=none)  # the last one counts
  elseif(NOT variant STREQUAL "default")
    message(FATAL_ERROR "${target}: unknown link variant '${variant}'")
  endif()
endfunction()

# Programs that include the public headers share them compiled, where their flags are the same.
function(mp_share_public_headers program file variant libraries)
  file(STRINGS "${file}" includes REGEX "^#include <multiprocessing/multiprocessing[.]hpp>" LIMIT_COUNT 1)
  if(NOT includes OR NOT MULTIPROCESSING_PRECOMPILE OR variant MATCHES "^(no-pie|lto|icf)$")
    return()
  endif()
  string(MD5 key "${libraries}")
  get_property(owner GLOBAL PROPERTY mp_public_headers_of_${key})
  if(owner)
    target_precompile_headers(${program} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${program} PRIVATE <multiprocessing/multiprocessing.hpp>)
    set_property(GLOBAL PROPERTY mp_public_headers_of_${key} ${program})
  endif()
endfunction()

# Everything in <folder>/programs and <folder>/libraries. Libraries (lib<stem>.so, <stem>.dll) are built
# first and lie beside the programs; a program links the library of its own stem, if there is one, and
# opens others by itself. They are built with the folder's binary, unless APART says otherwise.
function(mp_add_test_programs folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;APART" "LIBRARIES")
  file(GLOB libraries CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/libraries/*.cpp")
  set(built "")
  foreach(file IN LISTS libraries)
    get_filename_component(stem "${file}" NAME_WE)
    add_library(${arg_LABEL}_lib_${stem} SHARED "${file}")
    target_link_libraries(${arg_LABEL}_lib_${stem} PRIVATE mp_flags ${arg_LIBRARIES})
    target_link_options(${arg_LABEL}_lib_${stem} PRIVATE ${mp_build_id})
    set_target_properties(${arg_LABEL}_lib_${stem} PROPERTIES OUTPUT_NAME ${stem}
      CXX_VISIBILITY_PRESET default WINDOWS_EXPORT_ALL_SYMBOLS ON
      RUNTIME_OUTPUT_DIRECTORY "${mp_test_output}" LIBRARY_OUTPUT_DIRECTORY "${mp_test_output}")
    list(APPEND built ${arg_LABEL}_lib_${stem})
    set_property(GLOBAL APPEND PROPERTY mp_known_test_sources "${file}")
  endforeach()

  file(GLOB programs CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/programs/*.cpp")
  foreach(file IN LISTS programs)
    get_filename_component(stem "${file}" NAME_WE)
    mp_read_marker("${file}")
    set_property(GLOBAL APPEND PROPERTY mp_known_test_sources "${file}")
    foreach(variant IN LISTS ctest_variants ITEMS default)
      set(program ${stem})
      set(test ${arg_LABEL}.${stem})
      if(NOT variant STREQUAL "default")
        if(MULTIPROCESSING_SANITIZE OR CMAKE_CROSSCOMPILING)
          continue()  # variants of linking are a matter of the native compilers without sanitizers
        endif()
        set(program ${stem}_${variant})
        set(test "${arg_LABEL}.${stem}[${variant}]")
      endif()
      add_executable(${program} "${file}")
      target_link_libraries(${program} PRIVATE mp_flags ${arg_LIBRARIES})
      if(TARGET ${arg_LABEL}_lib_${stem})
        target_link_libraries(${program} PRIVATE ${arg_LABEL}_lib_${stem})
      endif()
      if(built)
        add_dependencies(${program} ${built})
      endif()
      set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${mp_test_output}"
        BUILD_RPATH "$ORIGIN")
      mp_apply_variant(${program} "${variant}")
      mp_share_public_headers(${program} "${file}" "${variant}" "${arg_LIBRARIES}")
      if(TARGET test_${arg_LABEL} AND NOT arg_APART)  # whose cases may start them
        add_dependencies(test_${arg_LABEL} ${program})
      endif()
      if(ctest_marked)
        add_test(NAME "${test}" COMMAND ${program} ${ctest_args})
        mp_set_test_properties("${test}" ${arg_LABEL} MULTIPROCESSING_TEST_PROGRAM=1)
        set_property(TEST "${test}" APPEND PROPERTY LABELS program)
      endif()
    endforeach()
  endforeach()
endfunction()

# A test file that no target builds is a test that never fails.
function(mp_demand_all_tests_are_built)
  get_property(known GLOBAL PROPERTY mp_known_test_sources)
  file(GLOB_RECURSE all CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  list(FILTER all EXCLUDE REGEX "/tests/(compile_fail|consumer)/")
  file(GLOB others RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}/backend" "${CMAKE_CURRENT_SOURCE_DIR}/backend/*")
  list(REMOVE_ITEM others ${mp_backend})
  foreach(other IN LISTS others)
    if(EXISTS "${PROJECT_SOURCE_DIR}/platform/${other}")  # another backend's tests
      list(FILTER all EXCLUDE REGEX "/tests/backend/${other}/")
    endif()
  endforeach()
  if(known)
    list(REMOVE_ITEM all ${known})
  endif()
  if(all)
    list(JOIN all "\n  " all)
    message(FATAL_ERROR "These files under tests/ belong to no target:\n  ${all}")
  endif()
endfunction()
