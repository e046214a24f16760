# What `cmake --install` puts under its prefix: the writer's library for find_package(outbox CONFIG) and pkg-config
# (component dev), and the programs (component tools). A build with sanitizers is not for installing.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(outbox_values PROPERTIES EXPORT_NAME values)
set_target_properties(outbox_writer PROPERTIES EXPORT_NAME writer)
foreach(library IN ITEMS outbox_values outbox_writer)
  target_compile_features(${library} PUBLIC cxx_std_20)
  set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON) # may go into a shared library
endforeach()

install(TARGETS outbox_values outbox_writer EXPORT outbox
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dev)
install(DIRECTORY libs/writer/include/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT dev)
install(FILES libs/core/include/outbox/core/trace_context.hpp libs/core/include/outbox/core/uuid.hpp
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/outbox/core" COMPONENT dev)

set(config_folder "${CMAKE_INSTALL_LIBDIR}/cmake/outbox")
install(EXPORT outbox NAMESPACE outbox:: FILE outbox-targets.cmake DESTINATION "${config_folder}" COMPONENT dev)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/outbox-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/outbox-config-version.cmake" cmake/outbox-config.cmake
  DESTINATION "${config_folder}" COMPONENT dev)

# Relative, so that the prefix may be chosen at installation, and moved.
file(RELATIVE_PATH up_to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file(cmake/outbox.pc.in "${CMAKE_BINARY_DIR}/outbox.pc" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/outbox.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT dev)

install(TARGETS outbox-migrate outbox-relay outbox-backfill outbox-server
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
