# The only ways in which targets are declared here: assay_library, assay_program, assay_test,
# assay_file_test, assay_fuzzer and assay_bench. Sources are listed by name.

include(GoogleTest)

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Protobuf REQUIRED)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(GRPCPP REQUIRED IMPORTED_TARGET grpc++)
find_program(ASSAY_GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
if(ASSAY_TESTS)
  find_package(GTest REQUIRED)
endif()

# What every target is compiled with.
add_library(assay_options INTERFACE)
# Designated initialisers leave out on purpose what keeps its default (-Wextra would have a word).
target_compile_options(assay_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                       -Wno-missing-field-initializers)
if(ASSAY_WERROR)
  target_compile_options(assay_options INTERFACE -Werror)
endif()
if(ASSAY_SANITIZE)
  target_compile_options(assay_options INTERFACE -fsanitize=${ASSAY_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer
                         # False alarms of g++ 12, about std::regex for one.
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(assay_options INTERFACE -fsanitize=${ASSAY_SANITIZE})
endif()
target_include_directories(assay_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>)

# What third-party headers do is not ours to warn about.
add_library(assay_generated_options INTERFACE)
target_compile_options(assay_generated_options INTERFACE -w)

find_program(ASSAY_MOLD mold)
if(ASSAY_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# assay_compile_together(TARGET a.cc...): with ASSAY_UNITY the target's sources are compiled a few at a
# time, which parses their common headers and instantiates their common templates once.
function(assay_compile_together target)
  list(LENGTH ARGN count)
  if(ASSAY_UNITY AND count GREATER 1)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    # A source's anonymous namespace is not a header's.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# assay_library(NAME SOURCES a.cc... [PUBLIC lib...] [PRIVATE lib...] [HOT] [NO_UNITY])
# NAME is the folder's path with underscores: fakegpu_model is assay::fakegpu_model.
# HOT: somebody waits for its speed, so the preset release compiles it with -O2. The other libraries
# mostly wait themselves: with -O1 tools/certify has them sooner.
# NO_UNITY: its sources use names for themselves that others use too, on purpose.
function(assay_library name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "HOT;NO_UNITY" "" "SOURCES;PUBLIC;PRIVATE")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "assay_library(${name}): unexpected ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(ARG_SOURCES)
    add_library(assay_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(assay_${name} PUBLIC assay_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
    if(ARG_HOT)
      target_compile_options(assay_${name} PRIVATE $<$<CONFIG:Release>:-O2>)
    endif()
    if(NOT ARG_NO_UNITY)
      assay_compile_together(assay_${name} ${ARG_SOURCES})
    endif()
  else()
    add_library(assay_${name} INTERFACE)
    target_link_libraries(assay_${name} INTERFACE assay_options ${ARG_PUBLIC})
  endif()
  add_library(assay::${name} ALIAS assay_${name})
endfunction()

# assay_program(NAME SOURCES a.cc... [LIBRARIES lib...] [NO_INSTALL])
# The program lies in build/<preset>/bin and is installed.
function(assay_program name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "NO_INSTALL" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE assay_options ${ARG_LIBRARIES})
  assay_compile_together(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  if(NOT ARG_NO_INSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

# assay_test(NAME SOURCES a_test.cc... [LIBRARIES lib...] [LABELS label...] [ENVIRONMENT A=B...]
#            [TIMEOUT seconds] [SERIAL])
# One executable; each TEST is a CTest test of its own. The label `threads` marks what TSan runs.
function(assay_test name)
  if(NOT ASSAY_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 ARG "SERIAL" "TIMEOUT" "SOURCES;LIBRARIES;LABELS;ENVIRONMENT;DEPENDS")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE assay_options ${ARG_LIBRARIES} GTest::gmock
                        GTest::gtest_main)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set(properties TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    # gtest_discover_tests hands properties on as a list of its own: one label at most.
    list(GET ARG_LABELS 0 label)
    list(APPEND properties LABELS ${label})
  endif()
  if(ARG_SERIAL)
    list(APPEND properties RUN_SERIAL TRUE)
  endif()
  if(ARG_ENVIRONMENT)
    list(JOIN ARG_ENVIRONMENT "\\;" environment)
    list(APPEND properties ENVIRONMENT "${environment}")
  endif()
  gtest_discover_tests(${name} PROPERTIES ${properties} DISCOVERY_TIMEOUT 60
                       WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

# assay_file_test(NAME COMMAND command... [LABELS label...] [TIMEOUT seconds] [ENVIRONMENT A=B...])
# A test that is a command. Exit code 77 means skipped; the command says why.
function(assay_file_test name)
  if(NOT ASSAY_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 ARG "SERIAL" "TIMEOUT" "COMMAND;LABELS;ENVIRONMENT")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${ARG_TIMEOUT}
                       LABELS "${ARG_LABELS}" ENVIRONMENT "${ARG_ENVIRONMENT}")
  if(ARG_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()

# assay_bench(NAME SOURCES a_bench.cc... [LIBRARIES lib...])
function(assay_bench name)
  if(NOT ASSAY_BENCHES)
    return()
  endif()
  find_package(benchmark REQUIRED)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE assay_options ${ARG_LIBRARIES} benchmark::benchmark_main)
endfunction()

# assay_fuzzer(NAME SOURCES a_fuzzer.cc... [LIBRARIES lib...] [MAIN main.cc ARGUMENTS argument...])
# With the preset fuzz a libFuzzer program, one of the target `fuzzers`: build/fuzz/bin/NAME CORPUS. With
# the others a test of the same: the corpus in testdata/fuzz/NAME/ beside it, and seeded mutations of it.
# MAIN, run with ARGUMENTS, makes the inputs of that test instead.
function(assay_fuzzer name)
  if(NOT ASSAY_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "MAIN" "SOURCES;LIBRARIES;ARGUMENTS")
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE assay_options ${ARG_LIBRARIES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  if(ASSAY_SANITIZE MATCHES "fuzzer")
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name})
    return()
  endif()
  if(NOT ARG_MAIN)
    set(ARG_MAIN ${PROJECT_SOURCE_DIR}/base/testing/fuzz_main.cc)
    set(ARG_ARGUMENTS --mutations 1000 --seed 1 ${CMAKE_CURRENT_SOURCE_DIR}/testdata/fuzz/${name})
  endif()
  target_sources(${name} PRIVATE ${ARG_MAIN})
  target_link_libraries(${name} PRIVATE assay::base)
  assay_file_test(${name} COMMAND ${name} ${ARG_ARGUMENTS} TIMEOUT 300)
endfunction()

# assay_proto_library(NAME PROTOS a/b.proto...): C++ messages and gRPC services, made at build time
# under generated/, from .proto files given relative to the repository root.
function(assay_proto_library name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "PROTOS")
  set(generated)
  foreach(proto ${ARG_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(out ${PROJECT_BINARY_DIR}/generated/${stem})
    add_custom_command(
      OUTPUT ${out}.pb.cc ${out}.pb.h ${out}.grpc.pb.cc ${out}.grpc.pb.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/generated
      COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR}
              --cpp_out=${PROJECT_BINARY_DIR}/generated
              --grpc_out=${PROJECT_BINARY_DIR}/generated
              --plugin=protoc-gen-grpc=${ASSAY_GRPC_CPP_PLUGIN} ${PROJECT_SOURCE_DIR}/${proto}
      DEPENDS ${PROJECT_SOURCE_DIR}/${proto}
      COMMENT "Generating ${stem}.pb.cc" VERBATIM)
    list(APPEND generated ${out}.pb.cc ${out}.grpc.pb.cc)
    # protoc uses the same names in each.
    set_source_files_properties(${out}.pb.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
  add_library(assay_${name} STATIC ${generated})
  assay_compile_together(assay_${name} ${generated})
  target_link_libraries(assay_${name} PUBLIC protobuf::libprotobuf PkgConfig::GRPCPP
                        PRIVATE assay_generated_options)
  target_include_directories(assay_${name} SYSTEM PUBLIC ${PROJECT_BINARY_DIR}/generated)
  # gRPC's templates cost more to optimise than a call through them costs to run.
  target_compile_options(assay_${name} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1>)
  if(ASSAY_SANITIZE)
    target_compile_options(assay_${name} PRIVATE -fsanitize=${ASSAY_SANITIZE})
  endif()
  add_library(assay::${name} ALIAS assay_${name})
endfunction()
