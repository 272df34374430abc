# A worker that hangs is stopped when the time of its file is over.
set(FAULT hang)
set(LIMIT --limit 3)
set(REASON "stopped after 3 s")
include("${CMAKE_CURRENT_LIST_DIR}/scan_fault.cmake")
