# A file that goes wrong costs that file and nothing else, whatever else its worker was given. Included with FAULT
# (what to inject) and REASON (a regular expression that the report of the file has to match).
include("${CMAKE_CURRENT_LIST_DIR}/scan_tree.cmake")
find_wc()

list(FILTER tree_files EXCLUDE REGEX "leaf.md$")
math(EXPR tree_count "${tree_count} - 1")
wc_total(${tree_files})
foreach(chunk 1 1000)
  run(scan --inject ${FAULT} tree/deep/er/still/leaf.md ${LIMIT} --chunk ${chunk} --jobs 4 --words ${word_rule} tree)
  demand_status(scan 1)
  demand_match("${scan_output}" "\ntotal +${tree_count} +${lines} +${words} +${bytes} ")
  demand_match("${scan_output}" " 1 failed, 0 unreadable")
  demand_match("${scan_errors}" "leaf.md: ${REASON}")
endforeach()
