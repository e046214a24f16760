# `cpack` in the build folder -> three .deb: the shared library, what one develops with, and the programs with their
# systemd units. What Debian alone wants stands in components of its own (debian-...), which `cmake --install` leaves
# out; some of it lies outside of the prefix.
set(interface_package "liboutbox${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
set(package_of_library ${interface_package})
set(package_of_dev liboutbox-dev)
set(package_of_tools outbox-tools)

function(for_debian component destination)
  install(FILES ${ARGN} DESTINATION "${destination}" COMPONENT debian-${component} EXCLUDE_FROM_ALL)
endfunction()

foreach(component IN ITEMS library dev tools)
  for_debian(${component} /usr/share/doc/${package_of_${component}} deploy/debian/copyright CHANGELOG.md)
endforeach()
set(units deploy/debian/outbox-relay.service deploy/debian/outbox-server.service)
for_debian(tools /lib/systemd/system ${units})
# For root alone, because they may hold passwords; systemd reads them as root.
install(FILES deploy/debian/relay.env deploy/debian/server.env DESTINATION /etc/outbox
  PERMISSIONS OWNER_READ OWNER_WRITE COMPONENT debian-tools EXCLUDE_FROM_ALL)
for_debian(tools /usr/share/outbox deploy/postgres/roles.sql)
for_debian(tools /usr/share/doc/outbox-tools README.md)
file(GLOB documents CONFIGURE_DEPENDS docs/*.md docs/*.yaml)
for_debian(tools /usr/share/doc/outbox-tools/docs ${documents})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME outbox)
set(CPACK_PACKAGE_VENDOR outbox)
set(CPACK_PACKAGE_CONTACT "the outbox project <outbox@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Transactional outbox from PostgreSQL to Kafka, exactly once")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY "${CMAKE_BINARY_DIR}/packages")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_COMPONENTS_ALL "")
foreach(component IN ITEMS library dev tools)
  string(TOUPPER ${component} upper)
  list(APPEND CPACK_COMPONENTS_ALL ${component} debian-${component})
  set(CPACK_COMPONENT_${upper}_GROUP ${component})
  set(CPACK_COMPONENT_DEBIAN-${upper}_GROUP ${component})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package_of_${component}})
endforeach()

set(control "${CMAKE_BINARY_DIR}/debian")
file(WRITE "${control}/triggers" "activate-noawait ldconfig\n")
file(WRITE "${control}/shlibs"
  "liboutbox ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} ${interface_package} (>= ${PROJECT_VERSION})\n")
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION
  "Transactional outbox: the writer's library\n Adds events to a transaction that a service already has.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${control}/triggers" "${control}/shlibs")

set(CPACK_DEBIAN_DEV_DESCRIPTION
  "Transactional outbox: libraries to build with\n The writer's library, the inbox's and the relay's: headers, CMake, pkg-config.")
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "${interface_package} (= ${PROJECT_VERSION}), libpq-dev, librdkafka-dev, libssl-dev, \
libspdlog-dev, libfmt-dev, libtomlplusplus-dev")

file(WRITE "${control}/conffiles" "/etc/outbox/relay.env\n/etc/outbox/server.env\n")
set(scripts "${CMAKE_SOURCE_DIR}/deploy/debian")
set(CPACK_DEBIAN_TOOLS_DESCRIPTION
  "Transactional outbox: programs and services\n Migration, relay, backfill, and the worked example's HTTP server.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION net)
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_TOOLS_PACKAGE_CONTROL_EXTRA
  "${control}/conffiles" "${scripts}/postinst" "${scripts}/prerm" "${scripts}/postrm")
include(CPack)
