# What `cmake --install` puts under its prefix, for find_package(outbox CONFIG) and pkg-config: the writer's library,
# static and shared, the inbox's and the relay's (component dev; the shared one's file itself: library); and the
# programs (component tools). A build with sanitizers is not for installing.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(writer_libraries outbox_values outbox_writer)
set(inbox_libraries outbox_sqlstate outbox_inbox)
set(relay_libraries outbox_core outbox_faults outbox_telemetry outbox_postgres outbox_store outbox_survey outbox_partition outbox_kafka outbox_messages outbox_delivery outbox_relay)
foreach(library IN LISTS writer_libraries inbox_libraries relay_libraries)
  string(REPLACE outbox_ "" name ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${library} PUBLIC cxx_std_20)
endforeach()
# May go into a shared library.
set_target_properties(${writer_libraries} ${inbox_libraries} PROPERTIES POSITION_INDEPENDENT_CODE ON)

# The writer's library as one that is loaded. Before 1.0 the second number changes when its interface does.
add_library(outbox_shared SHARED $<TARGET_OBJECTS:outbox_values> $<TARGET_OBJECTS:outbox_writer>)
target_include_directories(outbox_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(outbox_shared PRIVATE PostgreSQL::PostgreSQL)
target_compile_features(outbox_shared INTERFACE cxx_std_20)
set(interface_version ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set_target_properties(outbox_shared PROPERTIES
  OUTPUT_NAME outbox EXPORT_NAME outbox LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION ${interface_version})

set(as_libraries
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dev
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library NAMELINK_COMPONENT dev)
install(TARGETS ${writer_libraries} ${inbox_libraries} outbox_shared EXPORT outbox ${as_libraries})
install(TARGETS ${relay_libraries} EXPORT outbox-relay ${as_libraries})

# The interface; tools/docs reads the list too.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS cmake/public-headers)
file(STRINGS cmake/public-headers headers)
foreach(header IN LISTS headers)
  string(REGEX REPLACE "/.*" "" library ${header})
  install(FILES libs/${library}/include/outbox/${header}.hpp
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/outbox/${library}" COMPONENT dev)
endforeach()

set(config_folder "${CMAKE_INSTALL_LIBDIR}/cmake/outbox")
install(EXPORT outbox NAMESPACE outbox:: FILE outbox-targets.cmake DESTINATION "${config_folder}" COMPONENT dev)
install(EXPORT outbox-relay NAMESPACE outbox:: FILE outbox-relay-targets.cmake
  DESTINATION "${config_folder}" COMPONENT dev)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/outbox-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/outbox-config-version.cmake" cmake/outbox-config.cmake
  DESTINATION "${config_folder}" COMPONENT dev)

# Relative, so that the prefix may be chosen at installation, and moved.
file(RELATIVE_PATH up_to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
foreach(package IN ITEMS outbox outbox-inbox outbox-relay)
  configure_file(cmake/${package}.pc.in "${CMAKE_BINARY_DIR}/${package}.pc" @ONLY)
  install(FILES "${CMAKE_BINARY_DIR}/${package}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT dev)
endforeach()

install(TARGETS outbox-migrate outbox-relay outbox-backfill outbox-server
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
