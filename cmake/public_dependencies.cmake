# The libraries that our public headers include: cereal and Boost.PFR, both header-only. The build uses
# this file, and so does the installed package, so that a user's project finds them in the same way.
# Afterwards there is a target multiprocessing::public_dependencies that carries their include folders.

# Their own packages are asked first; where a distribution ships headers without a package file, or a
# cross build offers only a folder with headers, the headers themselves are looked for.
function(multiprocessing_find_headers result package target header)
  set(folders "")  # the caller's variable of that name would be seen here
  find_package(${package} QUIET CONFIG)
  if(TARGET ${target})
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
  endif()
  if(NOT folders)
    find_path(MULTIPROCESSING_${package}_INCLUDE_DIR ${header})
    mark_as_advanced(MULTIPROCESSING_${package}_INCLUDE_DIR)
    set(folders "${MULTIPROCESSING_${package}_INCLUDE_DIR}")
  endif()
  set(${result} "${folders}" PARENT_SCOPE)
endfunction()

# Takes the Boost that was found away again if it is older than 1.81, whose PFR our headers need.
function(multiprocessing_demand_new_boost folders)
  foreach(folder IN LISTS ${folders})
    if(EXISTS "${folder}/boost/version.hpp")
      file(STRINGS "${folder}/boost/version.hpp" version REGEX "#define BOOST_VERSION [0-9]+")
      string(REGEX REPLACE "[^0-9]" "" version "${version}")
      if(version LESS 108100)
        set(${folders} "" PARENT_SCOPE)
      endif()
    endif()
  endforeach()
endfunction()

if(NOT TARGET multiprocessing::public_dependencies)
  set(multiprocessing_missing "")
  if(MULTIPROCESSING_HEADERS_DIR)  # a cross build: one folder holds them all
    set(multiprocessing_cereal "${MULTIPROCESSING_HEADERS_DIR}")
    set(multiprocessing_boost "${MULTIPROCESSING_HEADERS_DIR}")
  else()
    multiprocessing_find_headers(multiprocessing_cereal cereal cereal::cereal cereal/cereal.hpp)
    multiprocessing_find_headers(multiprocessing_boost Boost Boost::headers boost/pfr.hpp)
  endif()
  multiprocessing_demand_new_boost(multiprocessing_boost)
  if(NOT multiprocessing_cereal)
    string(APPEND multiprocessing_missing " cereal")
  endif()
  if(NOT multiprocessing_boost)
    string(APPEND multiprocessing_missing " Boost>=1.81")
  endif()
  if(NOT multiprocessing_missing)
    add_library(multiprocessing::public_dependencies INTERFACE IMPORTED GLOBAL)
    target_include_directories(multiprocessing::public_dependencies SYSTEM INTERFACE
                               ${multiprocessing_cereal} ${multiprocessing_boost})
  endif()
endif()
