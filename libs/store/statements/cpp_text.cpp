// What the reader found, as C++.
#include "reader.hpp"

namespace outbox::statements {
namespace {

constexpr std::string_view prefix = "outbox_";

/// A raw string: SQL is full of quotes, and of backslashes in its patterns.
std::string literal(const std::string& text) {
    return "R\"sql(" + text + ")sql\"";
}

/// Statement outbox_take_shard is the constant take_shard.
std::string constant_of(const std::string& name) {
    return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

/// The statement's comment, as the constant's.
std::string comment_lines(const std::string& comment) {
    std::string lines = "/// ";
    for (const char c : comment) {
        lines += c;
        lines += c == '\n' ? "/// " : "";
    }
    return lines + "\n";
}

} // namespace

std::string header_of(const std::string& library, const std::string& file, std::span<const Entry> entries) {
    std::string text = "// Written from libs/" + library + "/sql/" + file +
                       ".sql: edit that file.\n#pragma once\n\n#include <outbox/" +
                       (library == "store" ? "store/statements.hpp" : "postgres/connection.hpp") +
                       ">\n\nnamespace outbox::" + library + "::sql {\n\n";
    for (const Entry& entry : entries) {
        if (entry.file == file) {
            text += comment_lines(entry.comment) + "inline constexpr " +
                    (entry.places.empty() ? "postgres::Statement " : "store::Template ") +
                    constant_of(entry.name) + "{\"" + entry.name + "\", " + literal(entry.sql) + "};\n\n";
        }
    }
    return text + "} // namespace outbox::" + library + "::sql\n";
}

std::string table_of(std::span<const Entry> entries) {
    std::string text = "// Written from libs/store/sql: edit those files.\n#include "
                       "<outbox/store/statements.hpp>\n\nnamespace outbox::store {\nnamespace {\n\n"
                       "constexpr NamedStatement table[] = {\n";
    for (const Entry& entry : entries) {
        text += "    {\"" + entry.name + "\", " + literal(entry.comment) + ", " + literal(entry.example()) +
                "},\n";
    }
    return text + "};\n\n} // namespace\n\nstd::span<const NamedStatement> all_statements() {\n"
                  "    return table;\n}\n\n} // namespace outbox::store\n";
}

} // namespace outbox::statements
