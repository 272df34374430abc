# Checks that are not doctest binaries: layers, format, headers alone and after hostile macros, what must
# not compile, the code in the documentation, a foreign project that uses the installed package. Labels:
# all have "check"; compile_fail, headers and consumer have their own as well.

set(compiler_json "${PROJECT_BINARY_DIR}/tests/compiler.json")
file(GENERATE OUTPUT "${compiler_json}" CONTENT "{
  \"id\": \"${CMAKE_CXX_COMPILER_ID}\",
  \"compiler\": \"${CMAKE_CXX_COMPILER}\",
  \"flags\": \"${CMAKE_CXX_FLAGS} -DMULTIPROCESSING_STATIC_DEFINE -DFMT_HEADER_ONLY -DSPDLOG_FMT_EXTERNAL\",
  \"warnings\": \"$<TARGET_PROPERTY:mp_flags,INTERFACE_COMPILE_OPTIONS>\",
  \"include\": \"$<TARGET_PROPERTY:mp_public_headers,INTERFACE_INCLUDE_DIRECTORIES>\",
  \"system_include\": \"$<TARGET_PROPERTY:multiprocessing::public_dependencies,INTERFACE_INCLUDE_DIRECTORIES>\"
}\n")

function(mp_add_check name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "COMMAND")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS "check;${arg_LABEL}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

if(NOT CMAKE_CROSSCOMPILING AND NOT MULTIPROCESSING_SANITIZE)
  mp_add_check(check.layers COMMAND Python3::Interpreter
    "${CMAKE_CURRENT_SOURCE_DIR}/layering/check_layers.py" "${PROJECT_SOURCE_DIR}")
  mp_add_check(check.format COMMAND Python3::Interpreter
    "${CMAKE_CURRENT_SOURCE_DIR}/layering/check_format.py" "${PROJECT_SOURCE_DIR}")
  foreach(which alone hostile)
    mp_add_check(headers.${which} LABEL headers COMMAND Python3::Interpreter
      "${CMAKE_CURRENT_SOURCE_DIR}/headers/check_headers.py" "${compiler_json}" "${PROJECT_SOURCE_DIR}" ${which})
  endforeach()
  mp_add_check(check.snippets LABEL docs COMMAND Python3::Interpreter
    "${CMAKE_CURRENT_SOURCE_DIR}/docs/check_snippets.py" "${compiler_json}" "${PROJECT_SOURCE_DIR}")
  file(GLOB must_fail CONFIGURE_DEPENDS compile_fail/*.cpp)
  foreach(file IN LISTS must_fail)
    get_filename_component(stem "${file}" NAME_WE)
    mp_add_check(compile_fail.${stem} LABEL compile_fail COMMAND Python3::Interpreter
      "${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/check.py" "${compiler_json}" "${file}")
  endforeach()
endif()

# The library has to be installed from this build, so the whole of it is needed first.
if(MULTIPROCESSING_INSTALL AND NOT MULTIPROCESSING_SANITIZE AND (NOT CMAKE_CROSSCOMPILING OR MINGW))
  foreach(way installed shared)
    set(label consumer)
    if(way STREQUAL "shared" AND CMAKE_CROSSCOMPILING)
      list(APPEND label slow)  # one more build of the library
    endif()
    mp_add_check(consumer.${way} LABEL "${label}" TIMEOUT 1800 COMMAND ${CMAKE_COMMAND}
      -D WAY=${way}
      -D SOURCE=${PROJECT_SOURCE_DIR}
      -D BUILD=${PROJECT_BINARY_DIR}
      -D WORK=${PROJECT_BINARY_DIR}/tests/consumer_${way}
      -D GENERATOR=${CMAKE_GENERATOR}
      -D COMPILER=${CMAKE_CXX_COMPILER}
      -D LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}
      -D TOOLCHAIN=${CMAKE_TOOLCHAIN_FILE}
      -D HEADERS=${MULTIPROCESSING_HEADERS_DIR}
      -D "EMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR}"
      -D SUFFIX=${CMAKE_EXECUTABLE_SUFFIX}
      -P "${CMAKE_CURRENT_SOURCE_DIR}/consumer/check.cmake")
    set_tests_properties(consumer.${way} PROPERTIES RUN_SERIAL ON)
  endforeach()
endif()
