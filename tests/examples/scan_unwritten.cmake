# A table that cannot be written is not a success. Where there is no /dev/full there is nothing to fill.
include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")
if(EMULATOR OR NOT EXISTS /dev/full)
  message("[skipped] ${NAME}: there is no device that is always full")
  return()
endif()
file(WRITE "${WORK}/tree/file" "a word\n")
execute_process(COMMAND "${PROGRAM}" tree WORKING_DIRECTORY "${WORK}" TIMEOUT 240 RESULT_VARIABLE scan_status
  OUTPUT_FILE /dev/full ERROR_VARIABLE scan_errors)
demand_status(scan 1)
demand_match("${scan_errors}" "(^|\n)scan: standard output cannot be written\n$")
