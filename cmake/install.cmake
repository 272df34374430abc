# What an installation consists of: headers, the library, and a CMake package that finds both.
include(CMakePackageConfigHelpers)
set(mp_package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/multiprocessing")

install(TARGETS multiprocessing EXPORT multiprocessing-targets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES "${mp_generated}/export.hpp" "${mp_generated}/native.hpp"
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/multiprocessing/detail)
install(EXPORT multiprocessing-targets NAMESPACE multiprocessing:: DESTINATION ${mp_package_folder})

configure_package_config_file(cmake/package_config.cmake.in
  "${PROJECT_BINARY_DIR}/multiprocessing-config.cmake" INSTALL_DESTINATION ${mp_package_folder})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/multiprocessing-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/multiprocessing-config.cmake"
  "${PROJECT_BINARY_DIR}/multiprocessing-config-version.cmake"
  cmake/public_dependencies.cmake
  DESTINATION ${mp_package_folder})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
