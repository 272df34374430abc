# A worker that hangs is stopped when the time of its file is over.
set(FAULT hang)
set(LIMIT --limit 10)
set(REASON "stopped after 10 s")
include("${CMAKE_CURRENT_LIST_DIR}/scan_fault.cmake")
