# toolhost_test_postgres: a real PostgreSQL for tests (support/temp_postgres.hpp). Include this file where it is needed.
if(NOT TARGET toolhost_test_postgres)
  add_library(toolhost_test_postgres STATIC "${CMAKE_CURRENT_LIST_DIR}/temp_postgres.cpp")
  target_include_directories(toolhost_test_postgres PUBLIC "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(toolhost_test_postgres PUBLIC toolhost_storage)
  target_precompile_headers(toolhost_test_postgres REUSE_FROM toolhost_pch)
endif()
