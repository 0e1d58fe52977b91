# toolhost_test_served_plugins: plugins in the real runtime on a real database (support/served_plugins.hpp).
include("${CMAKE_CURRENT_LIST_DIR}/temp_postgres.cmake")
if(NOT TARGET toolhost_test_served_plugins)
  add_library(toolhost_test_served_plugins STATIC "${CMAKE_CURRENT_LIST_DIR}/served_plugins.cpp")
  target_link_libraries(toolhost_test_served_plugins
    PUBLIC toolhost_test_postgres toolhost_plugin_runtime toolhost_storage GTest::gtest)
  target_precompile_headers(toolhost_test_served_plugins REUSE_FROM toolhost_pch)
endif()
