# outbox_embed_sql(store): the statements of libs/store/sql/*.sql as C++, a header a file: <outbox/store/sql/FILE.hpp>.
# What is malformed fails the build. BYPRODUCTS: sources that are written beside them.
function(outbox_embed_sql library)
  cmake_parse_arguments(SQL "" "" "BYPRODUCTS" ${ARGN})
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/generated")
  file(GLOB files CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/sql/*.sql")
  list(TRANSFORM SQL_BYPRODUCTS PREPEND "${generated}/" OUTPUT_VARIABLE outputs)
  target_sources(outbox_${library} PRIVATE ${outputs})
  foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME_WE)
    list(APPEND outputs "${generated}/outbox/${library}/sql/${name}.hpp")
  endforeach()
  add_custom_command(OUTPUT ${outputs}
    COMMAND outbox-embed-sql "${generated}" ${library} ${files}
    DEPENDS outbox-embed-sql ${files}
    COMMENT "Embedding the statements of ${library}" VERBATIM)
  # Who includes a header must be built after it.
  add_custom_target(outbox_${library}_statements DEPENDS ${outputs})
  add_dependencies(outbox_${library} outbox_${library}_statements)
  target_include_directories(outbox_${library} PUBLIC $<BUILD_INTERFACE:${generated}>)
endfunction()
