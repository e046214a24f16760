#pragma once

#include <outbox/core/command_line.hpp>
#include <outbox/migrate/migration.hpp>

#include <optional>
#include <string>

namespace outbox::migrations {

/// What the first word asks for.
enum class Command { up, down, status, version, unmap, sql };

/// How a table of the user's own begins to be served.
struct MapOptions {
    /// What Debezium reads it with, until now.
    struct Handover {
        std::string publication;
        std::string slot;
    };

    std::optional<std::string> existing; ///< rows that stand there already: send or ignore
    std::optional<Handover> handover;
};

/// Which sets a command is about.
struct Sets {
    bool outbox = true;
    bool example = true;
    bool named = false; ///< by the user

    [[nodiscard]] bool has(Set set) const { return set == Set::outbox ? outbox : example; }
};

/// What the user asked for.
struct Request {
    Command command = Command::status;
    Sets sets;                             ///< up, down, status, version
    int count = 1;                         ///< down: how many steps
    bool yes = false;                      ///< down: also where rows are lost
    std::optional<std::string> processing; ///< up: what PROCESSING rows of an adopted table mean
    bool convert = false;                  ///< up: columns of other types
    MapOptions mapping;                    ///< up
    std::string table;                     ///< unmap: which
    std::optional<std::string> statement;  ///< sql: which; every name if left out
    std::optional<std::string> folder;     ///< read the files from here, not the embedded ones
};

/// What outbox-migrate understands.
CommandLineSpec command_line();

/// @pre verb_of(command_line(), arguments) has found nothing wrong
/// @throws UsageError for values that are not allowed.
Request parse_request(const Arguments& arguments);

} // namespace outbox::migrations
