# find_package(toolhost-plugin 1.0 CONFIG): the target toolhost::plugin and the function toolhost_add_plugin.
include("${CMAKE_CURRENT_LIST_DIR}/toolhost-plugin-targets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/toolhost_add_plugin.cmake")
