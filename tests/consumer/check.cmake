# Builds and runs the foreign project beside this file in one of two ways:
#   installed   this build is installed into a fresh prefix, and found there by find_package
#   shared      the library is added as a folder and built as a shared one, then installed from there,
#               and found once more by find_package
# Run by CTest with -D WAY, SOURCE, BUILD, WORK and what describes the compiler.

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}\nstatus ${result}")
  endif()
  set(run_output "${output}" PARENT_SCOPE)
endfunction()

# Configures, builds and runs the consumer in WORK/<name>.
function(use name)
  run(${CMAKE_COMMAND} -S "${SOURCE}/tests/consumer" -B "${WORK}/${name}" ${configure} ${ARGN})
  run(${CMAKE_COMMAND} --build "${WORK}/${name}" --parallel 2)
  foreach(dll IN LISTS dlls_of_compiler)
    run(${COMPILER} -print-file-name=${dll})
    string(STRIP "${run_output}" path)
    file(COPY "${path}" DESTINATION "${WORK}/${name}")
  endforeach()
  run(${EMULATOR} "${WORK}/${name}/consumer${SUFFIX}")
  if(NOT run_output MATCHES "hello consumer 42" OR NOT run_output MATCHES "exit code 42")
    message(FATAL_ERROR "${name}: unexpected output:\n${run_output}")
  endif()
  message(STATUS "${name}: builds and runs")
  foreach(framework doctest gtest catch2)
    set(program "${WORK}/${name}/with_${framework}${SUFFIX}")
    if(NOT EXISTS "${program}")
      message("[skipped] a program of tests with ${framework}: there is none for this target")
      continue()
    endif()
    run(${EMULATOR} "${program}")
    message(STATUS "${name}, with ${framework}: ${run_output}")
  endforeach()
endfunction()

set(configure -G "${GENERATOR}" -D CMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}")
if(TOOLCHAIN)
  # A cross build looks for packages below its own root only, so that it is told where this one lies.
  list(APPEND configure -D "CMAKE_TOOLCHAIN_FILE=${TOOLCHAIN}" -D "MULTIPROCESSING_HEADERS_DIR=${HEADERS}"
                        -D "multiprocessing_DIR=${WORK}/prefix/lib/cmake/multiprocessing")
else()
  list(APPEND configure -D "CMAKE_CXX_COMPILER=${COMPILER}")
endif()

file(REMOVE_RECURSE "${WORK}")
if(WAY STREQUAL "installed")
  run(${CMAKE_COMMAND} --install "${BUILD}" --prefix "${WORK}/prefix")
  use(found -D "CMAKE_PREFIX_PATH=${WORK}/prefix")
else()
  # The toolchain links the compiler's runtime into each program and each DLL. But a program and its DLL need one in
  # common, or what the program's functions throw is not caught in the DLL.
  if(TOOLCHAIN)
    list(APPEND configure -D CMAKE_EXE_LINKER_FLAGS= -D CMAKE_SHARED_LINKER_FLAGS=)
    set(dlls_of_compiler libstdc++-6.dll libgcc_s_seh-1.dll libwinpthread-1.dll)
  endif()
  use(added -D "MULTIPROCESSING_FOLDER=${SOURCE}" -D BUILD_SHARED_LIBS=ON -D MULTIPROCESSING_INSTALL=ON
      -D MULTIPROCESSING_PRECOMPILE=ON -D MULTIPROCESSING_UNITY=runtime)
  run(${CMAKE_COMMAND} --install "${WORK}/added" --prefix "${WORK}/prefix")
  use(found -D "CMAKE_PREFIX_PATH=${WORK}/prefix")
endif()
