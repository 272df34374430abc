# What a wrong command line gets: one clear line and status 2.
include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")
file(WRITE "${WORK}/a_file" "")

function(demand_one_line regex)
  run(scan ${ARGN})
  demand_status(scan 2)
  demand_match("${scan_errors}" "^scan: [^\n]*${regex}[^\n]*\n$")
  if(scan_output)
    message(SEND_ERROR "standard output is not empty")
  endif()
endfunction()

demand_one_line("nowhere: no such directory" nowhere)
demand_one_line("a_file: not a directory" a_file)
demand_one_line("directory is required")
demand_one_line("--jobs: .*not in range 1 to" . --jobs 0)
demand_one_line("explode" . --inject explode a_file)
demand_one_line("no_file" . --inject crash no_file)

run(help --help)
demand_status(help 0)
demand_match("${help_output}" "--inject")
demand_match("${help_output}" "--limit")
