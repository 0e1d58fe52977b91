# Installs the package and builds both templates against it, as an author outside this repository does.
# -D build= -D scratch= -D cc= -D cxx= -D python= -D check_abi=
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${scratch}")
set(prefix "${scratch}/prefix")
run("${CMAKE_COMMAND}" --install "${build}" --component plugin-api --prefix "${prefix}")
foreach(language c cpp)
  file(COPY "${prefix}/share/toolhost-plugin/template/${language}" DESTINATION "${scratch}")
endforeach()

# CXX names no compiler at all: a C project must not look for one.
run("${CMAKE_COMMAND}" -E env CXX=/nonexistent "CC=${cc}"
  "${CMAKE_COMMAND}" -G Ninja -S "${scratch}/c" -B "${scratch}/c/build" "-DCMAKE_PREFIX_PATH=${prefix}")
run("${CMAKE_COMMAND}" -E env "CC=${cc}" "CXX=${cxx}"
  "${CMAKE_COMMAND}" -G Ninja -S "${scratch}/cpp" -B "${scratch}/cpp/build" "-DCMAKE_PREFIX_PATH=${prefix}")
run("${CMAKE_COMMAND}" --build "${scratch}/c/build")
run("${CMAKE_COMMAND}" --build "${scratch}/cpp/build")
run("${python}" "${check_abi}" exports "${scratch}/c/build/example.hello.so" "${scratch}/cpp/build/example.hello.so")
