# An exception in a worker is reported with type and message.
set(FAULT throw)
set(REASON "[^\n]*std::runtime_error[^\n]*cannot stand")
include("${CMAKE_CURRENT_LIST_DIR}/scan_fault.cmake")
