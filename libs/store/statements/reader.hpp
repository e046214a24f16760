#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

/// Reads the files of libs/*/sql when the product is built. What a file means stands in
/// libs/store/sql/README.md.
namespace outbox::statements {

/// One file, as it stands on the disk.
struct Source {
    std::string file; ///< its name, for messages
    std::string text;
};

/// A part of a statement that is known only when it runs, such as the name of a user's table.
struct Place {
    std::string name;
    std::string example; ///< what it may be; with it the statement can be prepared
};

/// One statement, its fragments filled in.
struct Entry {
    std::string file;
    std::string name;
    std::string comment; ///< its lines, without their dashes
    std::string sql;     ///< without a semicolon; a place stands there as `{name}`
    std::vector<Place> places;

    /// The statement with the examples in its places.
    [[nodiscard]] std::string example() const;
};

/// Reads all files together, because a fragment of one file may stand in a statement of another.
/// @param constants  fragments whose text the program gives
/// @return the statements, in the order of the files
/// @throws std::runtime_error "FILE:LINE: WHY" for what is malformed: a statement without a name, without a
/// comment or without an end; two of one name; a fragment that is unknown, that nobody uses, that has other
/// parameters, or that holds itself.
std::vector<Entry> read(std::span<const Source> sources, const std::map<std::string, std::string>& constants);

/// The C++ constants of one file's statements, in namespace outbox::LIBRARY::sql.
std::string header_of(const std::string& library, const std::string& file, std::span<const Entry> entries);
/// The table of all statements that `outbox-migrate sql` prints.
std::string table_of(std::span<const Entry> entries);

} // namespace outbox::statements
