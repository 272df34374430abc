# A cross build uses the header-only libraries of the machine it runs on. They lie in /usr/include,
# which as a whole would hide the target's own headers, so a folder in the build tree gets links to
# just these libraries. A toolchain file asks for it by MULTIPROCESSING_HOST_HEADERS.
set(MULTIPROCESSING_HEADERS_DIR "" CACHE PATH "A folder with boost/, cereal/, spdlog/, fmt/, doctest/, CLI/; empty: each is looked for")
if(MULTIPROCESSING_HOST_HEADERS AND NOT MULTIPROCESSING_HEADERS_DIR)
  set(MULTIPROCESSING_HOST_INCLUDE "/usr/include" CACHE PATH "Where the header-only libraries of this machine lie")
  set(mp_links "${PROJECT_BINARY_DIR}/host_headers")
  file(MAKE_DIRECTORY "${mp_links}")
  foreach(library boost cereal spdlog fmt doctest CLI)
    if(EXISTS "${MULTIPROCESSING_HOST_INCLUDE}/${library}" AND NOT EXISTS "${mp_links}/${library}")
      file(CREATE_LINK "${MULTIPROCESSING_HOST_INCLUDE}/${library}" "${mp_links}/${library}" SYMBOLIC)
    endif()
  endforeach()
  # Header-only libraries written for Windows spell some names as Windows' file systems let them.
  if(MINGW)
    foreach(name Windows WinSock2 Shlobj Psapi DbgHelp)
      string(TOLOWER "${name}" lower)
      file(CONFIGURE OUTPUT "${mp_links}/${name}.h" CONTENT "#include <${lower}.h>\n")
    endforeach()
  endif()
  set(MULTIPROCESSING_HEADERS_DIR "${mp_links}")
endif()
