# A batch that fails costs that batch and nothing else. Included with FAULT (what to inject) and REASON (a
# regular expression that the report of the batch has to match).
include("${CMAKE_CURRENT_LIST_DIR}/scan_tree.cmake")
find_wc()

# Batches of one file, so that exactly the injected file is missing from the sums.
list(FILTER tree_files EXCLUDE REGEX "leaf.md$")
math(EXPR tree_count "${tree_count} - 1")
wc_total(${tree_files})
run(scan --inject ${FAULT} tree/deep/er/still/leaf.md ${LIMIT} --batch 1 --jobs 4 --words ${word_rule} tree)
demand_status(scan 1)
demand_match("${scan_output}" "\ntotal +${tree_count} +${lines} +${words} +${bytes} ")
demand_match("${scan_output}" " 1 failed, 0 unreadable")
demand_match("${scan_errors}" "batch [0-9]+ \\(1 files from [^\n]*leaf.md\\): ${REASON}")
