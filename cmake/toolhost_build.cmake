# How this project compiles: one place for flags, modules and tests.

# g++ 12 miscompiles C++20 coroutines (silent double frees); the host therefore needs clang 16+ or g++ 14+.
# Plugins may be built with any compiler.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles C++20 coroutines (double free at any -O level), and the host is built of them. "
    "Configure with a preset ('cmake --preset dev', which selects clang-19), or use clang 16+ or g++ 14+.")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(toolhost_options INTERFACE)
target_compile_options(toolhost_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align -Woverloaded-virtual
  -Wno-missing-field-initializers
  $<$<BOOL:${TOOLHOST_WERROR}>:-Werror>)
target_compile_definitions(toolhost_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_DLL_USE_STD_FS SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)
target_include_directories(toolhost_options INTERFACE "${PROJECT_SOURCE_DIR}/host")

if(TOOLHOST_SANITIZE)
  add_compile_options(-fsanitize=${TOOLHOST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TOOLHOST_SANITIZE})
endif()

# toolhost_module(NAME SOURCES a.cpp ... DEPENDS toolhost_base ... LIBRARIES external::lib ...)
# One static library for one module of host/. DEPENDS names the modules below it; tests/architecture holds includes to the floors.
function(toolhost_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(toolhost_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(toolhost_${name} PUBLIC toolhost_options ${ARG_DEPENDS} ${ARG_LIBRARIES})
  target_precompile_headers(toolhost_${name} REUSE_FROM toolhost_pch)
endfunction()

# toolhost_test(NAME LABEL unit|integration SOURCES a_test.cpp ... DEPENDS toolhost_x ... [PCH TARGET|NONE])
# One GoogleTest program, one CTest entry with that label. PCH: whose precompiled header it reuses; default: that of tests/.
function(toolhost_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT;PCH" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE toolhost_options ${ARG_DEPENDS} GTest::gmock GTest::gtest GTest::gtest_main)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_compile_options(${name} PRIVATE ${TOOLHOST_TEST_OPTIONS})
  if(NOT ARG_PCH)
    set(ARG_PCH toolhost_test_pch)
  endif()
  if(NOT ARG_PCH STREQUAL "NONE")
    target_precompile_headers(${name} REUSE_FROM ${ARG_PCH})
  endif()
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# How the code of tests is compiled. -fPIC: as the precompiled headers; executables would get -fPIE. -O0 with sanitizers: optimizing
# instrumented GoogleTest code takes most of a build's time, and what is tested stays as it is.
set(TOOLHOST_TEST_OPTIONS -fPIC)
if(TOOLHOST_SANITIZE)
  list(APPEND TOOLHOST_TEST_OPTIONS -O0)
endif()

# toolhost_test_pch(NAME HEADERS <a> ... DEPENDS ...): a precompiled header for tests, GoogleTest included.
function(toolhost_test_pch name)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPENDS" ${ARGN})
  add_library(${name} OBJECT "${PROJECT_SOURCE_DIR}/host/pch.cpp")
  target_link_libraries(${name} PUBLIC toolhost_options ${ARG_DEPENDS} GTest::gmock GTest::gtest)
  target_compile_options(${name} PRIVATE ${TOOLHOST_TEST_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS} <gmock/gmock.h> <gtest/gtest.h>)
endfunction()
