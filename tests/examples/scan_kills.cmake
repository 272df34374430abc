# Workers that are killed from outside while scan runs change nothing in what it counts: some large files and
# others, or COUNT small ones.
include("${CMAKE_CURRENT_LIST_DIR}/scan_tree.cmake")
find_wc()
find_program(PYTHON python3)
if(EMULATOR OR CMAKE_HOST_WIN32 OR NOT PYTHON)
  message("[skipped] ${NAME}: there is nobody here who kills them")
  return()
endif()
if(COUNT)
  write_small_files(${COUNT})
else()
  write_large_files()
  wc_total(${tree_files})
endif()

# As many retries as there are kills at most: were all of them to meet one file, it would still be counted.
set(scan "${PROGRAM}")
set(PROGRAM "${PYTHON}")
run(kills "${CMAKE_CURRENT_LIST_DIR}/scan_kills.py" "${scan}" tree --jobs 3 --retries 1000000 --words ${word_rule})
demand_status(kills 0)
string(REGEX REPLACE "total ${tree_count} ${lines} ${words} ${bytes}\n" "" rest "${kills_output}")
demand_match("${rest}" "^[0-9]+ workers were killed\n$")
