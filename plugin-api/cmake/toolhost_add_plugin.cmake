# toolhost_add_plugin(target ID id SOURCES file...
#                     [MIGRATIONS NNNN_name.sql...] [LIBRARIES lib...] [OUTPUT_DIRECTORY directory])
#
# Builds the plugin `<id>.so` from C or C++ (20) sources: hidden symbols, every symbol resolved at link time, no soname.
# MIGRATIONS makes the header `<target>_migrations.hpp` (valid C99 as well), which defines `toolhost_migrations`, the list
# for migrations(...) of TH_PLUGIN or for th_plugin_def; the number in a file's name is its version, the rest its name.
function(toolhost_add_plugin target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "ID;OUTPUT_DIRECTORY" "SOURCES;MIGRATIONS;LIBRARIES")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "toolhost_add_plugin(${target}): unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_ID OR NOT ARG_SOURCES)
    message(FATAL_ERROR "toolhost_add_plugin(${target}): ID and SOURCES are needed")
  endif()
  string(LENGTH "${ARG_ID}" id_length)
  if(NOT ARG_ID MATCHES "^[a-z][a-z0-9_]*(\\.[a-z0-9_]+)*$" OR id_length GREATER 47)
    message(FATAL_ERROR
      "toolhost_add_plugin(${target}): the id '${ARG_ID}' is not [a-z][a-z0-9_]*(.[a-z0-9_]+)* of at most 47 bytes")
  endif()

  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE toolhost::plugin ${ARG_LIBRARIES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME "${ARG_ID}" SUFFIX ".so" NO_SONAME ON
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(ARG_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${ARG_OUTPUT_DIRECTORY}")
  endif()
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  endif()

  # Hidden visibility is not enough: libstdc++ exports its own templates. The version script leaves exactly two symbols.
  set(map "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/toolhost_plugin.map")
  target_link_options(${target} PRIVATE "LINKER:--version-script=${map}" LINKER:-z,now LINKER:-z,nodelete)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${map}")
  # A sanitized plugin takes the sanitizer's functions from the host.
  get_directory_property(link_options LINK_OPTIONS)
  if(NOT "${link_options} ${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS} ${CMAKE_MODULE_LINKER_FLAGS}" MATCHES "-fsanitize")
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()

  if(ARG_MIGRATIONS)
    _toolhost_write_migrations(${target} ${ARG_MIGRATIONS})
  endif()
endfunction()

# Writes the migrations header at configure time; a changed .sql file configures again.
function(_toolhost_write_migrations target)
  set(steps "")
  set(list "")
  set(next 1)
  foreach(file IN LISTS ARGN)
    get_filename_component(file "${file}" ABSOLUTE)
    get_filename_component(stem "${file}" NAME_WE)
    if(NOT stem MATCHES "^([0-9]+)_([a-z0-9_]+)$")
      message(FATAL_ERROR "toolhost_add_plugin(${target}): '${file}' is not named like 0001_tickets.sql")
    endif()
    set(name "${CMAKE_MATCH_2}")
    string(REGEX REPLACE "^0+" "" version "${CMAKE_MATCH_1}")
    if(NOT version EQUAL next)
      message(FATAL_ERROR
        "toolhost_add_plugin(${target}): '${file}' must have the number ${next}: 1, 2, 3 ... in order")
    endif()
    math(EXPR next "${next} + 1")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(READ "${file}" sql)
    string(REPLACE "\\" "\\\\" sql "${sql}")
    string(REPLACE "\"" "\\\"" sql "${sql}")
    string(REPLACE "?" "\\?" sql "${sql}") # no trigraphs
    string(REPLACE "\t" "\\t" sql "${sql}")
    string(REPLACE "\r" "\\r" sql "${sql}")
    string(REPLACE "\n" "\\n\"\n    \"" sql "${sql}")
    string(APPEND steps
      "static const th_migration toolhost_migration_${version} = {\n"
      "    sizeof(th_migration), ${version}u, \"${name}\",\n    \"${sql}\"};\n")
    string(APPEND list "&toolhost_migration_${version}, ")
  endforeach()
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/${target}_migrations")
  file(CONFIGURE OUTPUT "${directory}/${target}_migrations.hpp" @ONLY CONTENT
"/* Made from the .sql files of ${target}; C99 and C++. Include it in one source file. */
#ifndef TOOLHOST_MIGRATIONS
#define TOOLHOST_MIGRATIONS
#include <toolhost/plugin.h>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored \"-Woverlength-strings\"
@steps@
#pragma GCC diagnostic pop
static const th_migration* const toolhost_migrations[] = {@list@0};
#endif
")
  target_include_directories(${target} PRIVATE "${directory}")
endfunction()
