# Every dependency is a Debian 12 package; './run' and './test' install them (packages are listed in ./packages.txt).
find_package(Threads REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED)     # 1.74 lacks awaitable operators and result<T>; Debian: libboost1.81-dev
find_package(ICU 72 COMPONENTS uc REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(PostgreSQL 15 REQUIRED)         # libpq
find_package(simdjson REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_library(TOOLHOST_CSV_LIBRARY csv REQUIRED)  # libcsv has neither a CMake nor a pkg-config file
find_library(TOOLHOST_CJOSE_LIBRARY cjose REQUIRED)  # its pkg-config file wants the headers of jansson, which nobody needs
find_package(PkgConfig REQUIRED)
pkg_check_modules(pqxx REQUIRED IMPORTED_TARGET libpqxx)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)  # its CMake file also wants what only pull and push need
if(TOOLHOST_TESTS)
  find_package(GTest REQUIRED)
endif()
