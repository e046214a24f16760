# outbox_library(core SOURCES a.cpp DEPENDS outbox_x PRIVATE fmt::fmt)
#   -> target outbox_core; headers in include/, sources in src/.
function(outbox_library name)
  cmake_parse_arguments(LIB "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  list(TRANSFORM LIB_SOURCES PREPEND src/)
  add_library(outbox_${name} STATIC ${LIB_SOURCES})
  target_include_directories(outbox_${name}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include> PRIVATE src)
  target_link_libraries(outbox_${name} PUBLIC ${LIB_DEPENDS} PRIVATE ${LIB_PRIVATE} Threads::Threads)
endfunction()

# outbox_app(relay DEPENDS ...) -> build/bin/outbox-relay from main.cpp and SOURCES.
function(outbox_app name)
  cmake_parse_arguments(APP "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(outbox-${name} main.cpp ${APP_SOURCES})
  target_link_libraries(outbox-${name} PRIVATE ${APP_DEPENDS} Threads::Threads)
endfunction()

# outbox_slowed(limit 120): seconds for programs at full speed as the seconds that this build gets.
function(outbox_slowed variable seconds)
  math(EXPR limit "${seconds} * ${OUTBOX_SLOWNESS}")
  set(${variable} ${limit} PARENT_SCOPE)
endfunction()

# outbox_test(core SOURCES tests/a_test.cpp DEPENDS ... LABEL unit)
#   -> one program of sentences; ctest sees each test. Sources named *_pg_test, *_kafka_test need those services.
#   PROCESSORS: tests that it takes the place of, default 1. SERIAL: nothing runs beside it.
function(outbox_test name)
  if(NOT OUTBOX_TESTS)
    return()
  endif()
  cmake_parse_arguments(TEST "SERIAL" "LABEL;TIMEOUT;PROCESSORS" "SOURCES;DEPENDS" ${ARGN})
  if(NOT TEST_LABEL)
    set(TEST_LABEL unit)
  endif()
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  outbox_slowed(TEST_TIMEOUT ${TEST_TIMEOUT})
  if(NOT TEST_PROCESSORS)
    set(TEST_PROCESSORS 1)
  endif()
  add_executable(${name}_${TEST_LABEL}_test ${TEST_SOURCES})
  target_compile_options(${name}_${TEST_LABEL}_test PRIVATE -O1)
  # Only the sources that name these know where they are built: the compiler's cache serves all others in every checkout.
  foreach(source IN LISTS TEST_SOURCES)
    file(STRINGS "${source}" places REGEX "OUTBOX_(SOURCE|BIN)_DIR" LIMIT_COUNT 1)
    if(places)
      set_source_files_properties("${source}" PROPERTIES COMPILE_DEFINITIONS
        "OUTBOX_SOURCE_DIR=\"${CMAKE_SOURCE_DIR}\";OUTBOX_BIN_DIR=\"${CMAKE_BINARY_DIR}/bin\"")
    endif()
  endforeach()
  target_link_libraries(${name}_${TEST_LABEL}_test PRIVATE ${TEST_DEPENDS} GTest::gtest GTest::gtest_main GTest::gmock)
  gtest_discover_tests(${name}_${TEST_LABEL}_test
    PROPERTIES LABELS ${TEST_LABEL} TIMEOUT ${TEST_TIMEOUT} PROCESSORS ${TEST_PROCESSORS} RUN_SERIAL ${TEST_SERIAL}
    DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
endfunction()
