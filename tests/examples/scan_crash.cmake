# A file that a worker crashes at.
set(FAULT crash)
set(REASON "[^\n]*(SIGSEGV|access violation)")
include("${CMAKE_CURRENT_LIST_DIR}/scan_fault.cmake")
