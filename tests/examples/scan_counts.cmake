# scan counts what wc counts, however many files a worker is given at once.
include("${CMAKE_CURRENT_LIST_DIR}/scan_tree.cmake")
find_wc()
wc_total(${tree_files})

foreach(chunk 1000 4 1)
  run(scan tree --chunk ${chunk} --jobs 3 --words ${word_rule})
  demand_status(scan 0)
  demand_match("${scan_output}" "\ntotal +${tree_count} +${lines} +${words} +${bytes} ")
  demand_match("${scan_output}" " 0 failed, 0 unreadable")
endforeach()

# The rows, and directories that are given twice or lie inside one another.
file(GLOB many RELATIVE "${WORK}" "${WORK}/tree/many/*")
wc_total(${many})
run(scan tree/many tree tree --by directory --words ${word_rule})
demand_status(scan 0)
demand_match("${scan_output}" "many +12 +${lines} +${words} +${bytes} ")
demand_match("${scan_output}" "\ntotal +${tree_count} ")
