# The library itself, put together from the objects of platform/ and runtime/, and its twin for tests,
# which differs in the platform objects alone and is never installed.
include(GenerateExportHeader)

get_property(mp_layers GLOBAL PROPERTY mp_runtime_layers)
set(mp_runtime_objects "")
foreach(layer IN LISTS mp_layers)
  list(APPEND mp_runtime_objects $<TARGET_OBJECTS:${layer}>)
endforeach()

# What a new process runs through on the way to its target, callers first. Linkers lay code out in the order of the
# objects, and each 64 KiB of it that a process enters for the first time cost it a few microseconds, so these stand
# together. What is not listed stands behind them as it comes; a name that this system does not have is no error.
set(mp_way_to_the_target
  launch/freeze_support launch/child_main launch/recorded_child launch/self launch/identity launch/registry
  wire/frame wire/archive wire/handles support/stop_token
  linux/executable linux/executable_file posix/channel posix/descriptor posix/error posix/handle posix/console
  posix/identity linux/pidfd posix/crash posix/image elf/mapped_images elf/notes contract/image_hash
  posix/call_traced libstdcxx/throw_witness posix/system posix/wait linux/lifeline
  context/context support/logging wire/exception_report)
function(mp_order_objects result)
  list(TRANSFORM mp_way_to_the_target PREPEND "/" OUTPUT_VARIABLE names)
  list(TRANSFORM names APPEND "[.]cpp[.]")
  set(ordered "")
  foreach(name IN LISTS names)
    list(APPEND ordered "$<FILTER:${ARGN},INCLUDE,${name}>")
  endforeach()
  list(JOIN names "|" any)
  set(${result} ${ordered} "$<FILTER:${ARGN},EXCLUDE,${any}>" PARENT_SCOPE)
endfunction()

# What a target needs that links our objects: headers, the system's libraries, a build id in the image.
function(mp_describe_library name)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                            $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>)
  target_link_libraries(${name} PUBLIC multiprocessing::public_dependencies PRIVATE ${mp_system_libraries})
  target_link_options(${name} INTERFACE ${mp_build_id})
  if(mp_needs_boost_process)
    target_link_libraries(${name} PRIVATE Boost::process)
  endif()
endfunction()

mp_order_objects(mp_objects $<TARGET_OBJECTS:mp_platform> ${mp_runtime_objects})
add_library(multiprocessing ${mp_objects})
add_library(multiprocessing::multiprocessing ALIAS multiprocessing)
mp_describe_library(multiprocessing)
set_target_properties(multiprocessing PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
if(BUILD_SHARED_LIBS)
  target_link_options(multiprocessing PRIVATE ${mp_build_id})
else()
  target_compile_definitions(multiprocessing INTERFACE MULTIPROCESSING_STATIC_DEFINE)
endif()

set(mp_generated "${PROJECT_BINARY_DIR}/include/multiprocessing/detail")
generate_export_header(multiprocessing
  BASE_NAME multiprocessing
  EXPORT_MACRO_NAME MULTIPROCESSING_EXPORT
  STATIC_DEFINE MULTIPROCESSING_STATIC_DEFINE
  EXPORT_FILE_NAME "${mp_generated}/export.hpp")
configure_file("${PROJECT_SOURCE_DIR}/cmake/native.hpp.in" "${mp_generated}/native.hpp" @ONLY)

if(MULTIPROCESSING_BUILD_TESTS)
  add_library(multiprocessing_testing STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:mp_platform_testing> ${mp_runtime_objects})
  mp_describe_library(multiprocessing_testing)
  target_compile_definitions(multiprocessing_testing INTERFACE MULTIPROCESSING_STATIC_DEFINE)
endif()
