# COUNT small files, a multiple of ten, and two that are faults: those are missing from the sums, and nothing
# else is.
include("${CMAKE_CURRENT_LIST_DIR}/scan_tree.cmake")
find_wc()
if(NOT COUNT)
  set(COUNT 2000)
endif()

write_small_files(${COUNT})
foreach(bad crash throw)
  file(WRITE "${WORK}/tree/${bad}.txt" "not to be counted\n")
endforeach()

run(scan tree --words ${word_rule} --inject crash tree/crash.txt --inject throw tree/throw.txt)
demand_status(scan 1)
demand_match("${scan_output}" "\ntotal +${COUNT} +${lines} +${words} +${bytes} ")
demand_match("${scan_output}" " 2 failed, 0 unreadable")
demand_match("${scan_errors}" "crash.txt: [^\n]*(SIGSEGV|access violation)")
demand_match("${scan_errors}" "throw.txt: [^\n]*cannot stand")
file(REMOVE_RECURSE "${WORK}/tree")
