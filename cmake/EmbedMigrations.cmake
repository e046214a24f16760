# outbox_embed_migrations(target folder): compiles folder/*/*.sql, byte for byte, into `target`.
# A changed file is embedded again by the next build; so is one that was added or removed.
# The same file, run as a script with -DFOLDER, -DFILES and -DOUTPUT, writes the .cpp.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(OUTBOX_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
  function(outbox_embed_migrations target folder)
    file(GLOB names CONFIGURE_DEPENDS RELATIVE "${folder}" "${folder}/*/*.sql")
    list(TRANSFORM names PREPEND "${folder}/" OUTPUT_VARIABLE paths)
    list(JOIN names "|" files)
    set(output "${CMAKE_CURRENT_BINARY_DIR}/embedded_migrations.cpp")
    add_custom_command(OUTPUT "${output}"
      COMMAND "${CMAKE_COMMAND}" "-DFOLDER=${folder}" "-DFILES=${files}" "-DOUTPUT=${output}"
              -P "${OUTBOX_EMBED_SCRIPT}"
      DEPENDS ${paths} "${OUTBOX_EMBED_SCRIPT}"
      COMMENT "Embedding migrations" VERBATIM)
    target_sources(${target} PRIVATE "${output}")
  endfunction()
  return()
endif()

string(REPLACE "|" ";" names "${FILES}")
set(arrays "")
set(rows "")
set(number 0)
foreach(name IN LISTS names)
  file(READ "${FOLDER}/${name}" hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  # The closing zero is not part of the file; it keeps an empty file's array legal.
  string(APPEND arrays "constexpr unsigned char bytes_${number}[] = {${bytes}0};\n")
  get_filename_component(base "${name}" NAME)
  get_filename_component(set "${name}" DIRECTORY)
  string(APPEND rows "            file(Set::${set}, \"${base}\", bytes_${number}, sizeof bytes_${number} - 1),\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "// Written by EmbedMigrations.cmake.
#include <outbox/migrate/source.hpp>

namespace outbox::migrations {
namespace {

${arrays}
File file(Set set, const char* name, const unsigned char* bytes, std::size_t size) {
    return {set, name, std::string(reinterpret_cast<const char*>(bytes), size)};
}

} // namespace

std::vector<File> embedded_files() {
    return {
${rows}    };
}

} // namespace outbox::migrations
")
