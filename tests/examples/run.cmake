# Runs PROGRAM, through EMULATOR if there is one. Included by the checks of the examples.
cmake_minimum_required(VERSION 3.25)

string(REPLACE "|" ";" EMULATOR "${EMULATOR}")

# Sets <prefix>_output, <prefix>_errors and <prefix>_status in the caller. What is printed goes through files,
# since an emulator may leave a server behind that would keep a pipe open.
function(run prefix)
  execute_process(COMMAND ${EMULATOR} "${PROGRAM}" ${ARGN}
    WORKING_DIRECTORY "${WORK}" TIMEOUT 240 RESULT_VARIABLE status
    OUTPUT_FILE "${WORK}.output" ERROR_FILE "${WORK}.errors")
  foreach(stream output errors)
    file(READ "${WORK}.${stream}" ${stream})
    string(REPLACE "\r" "" ${stream} "${${stream}}")
    set(${prefix}_${stream} "${${stream}}" PARENT_SCOPE)
  endforeach()
  set(${prefix}_status "${status}" PARENT_SCOPE)
  message("${PROGRAM} ${ARGN}\nstatus ${status}\n${output}${errors}")
endfunction()

function(demand_status prefix expected)
  if(NOT "${${prefix}_status}" STREQUAL "${expected}")
    message(SEND_ERROR "exit status '${${prefix}_status}', expected ${expected}")
  endif()
endfunction()

function(demand_match text regex)
  if(NOT "${text}" MATCHES "${regex}")
    message(SEND_ERROR "no match for: ${regex}")
  endif()
endfunction()

file(MAKE_DIRECTORY "${WORK}")
