// Opens the database, and creates it where `up` may. The server's own database is asked whether ours
// exists: a failed connection does not say that in a language-independent way.

#include "server.hpp"

#include <fmt/format.h>

#include <optional>

namespace outbox::migrations {
namespace {

using postgres::Connection;
using postgres::ConnectOptions;
using postgres::DatabaseError;

/// A session with a database that every server has, to ask about ours.
std::optional<Connection> open_maintenance(ConnectOptions options, Deadline deadline) {
    for (const char* name : {"postgres", "template1"}) {
        options.database = name;
        try {
            return Connection::open(options, deadline);
        } catch (const DatabaseError&) {
            continue; // the caller reports why its own database could not be opened
        }
    }
    return std::nullopt;
}

/// A refused connection carries no SQLSTATE, and messages are translated: so the catalogue is asked.
bool exists(Connection& maintenance, const std::string& database, Deadline deadline) {
    return !maintenance.query("SELECT 1 FROM pg_database WHERE datname = $1", {database}, deadline).empty();
}

/// The error that tells the owner what to type.
Error not_permitted(const ConnectOptions& options, const DatabaseError& error) {
    return {Action::stop,
            fmt::format("database {} does not exist, and role {} may not create it:\n{}\n"
                        "Let a role that may type:\n  CREATE DATABASE {} OWNER {};\nthen run up again.",
                        quoted(options.database), quoted(options.user), readable(error),
                        quoted(options.database), quoted(options.user))};
}

/// Events are UTF-8, whatever the server was set up with.
std::string create_statement(Connection& maintenance, const std::string& database, Deadline deadline) {
    const bool unicode = maintenance.query("SHOW server_encoding", {}, deadline).bytes(0, 0) == "UTF8";
    return fmt::format("CREATE DATABASE {}{}", quoted(database),
                       unicode ? "" : " ENCODING 'UTF8' TEMPLATE template0");
}

/// @return whether it was this call that created it.
bool create(Connection& maintenance, const ConnectOptions& options, Deadline deadline) {
    try {
        maintenance.query(create_statement(maintenance, options.database, deadline), {}, deadline);
        return true;
    } catch (const DatabaseError& error) {
        if (error.sqlstate() == "42P04" || error.sqlstate() == "23505") {
            return false; // another one was faster
        }
        if (error.sqlstate() == "42501") {
            throw not_permitted(options, error);
        }
        throw;
    }
}

} // namespace

std::optional<Connection> open_if_there(const ConnectOptions& options, Deadline deadline) {
    try {
        return Connection::open(options, deadline);
    } catch (const DatabaseError&) {
        auto maintenance = open_maintenance(options, deadline);
        if (!maintenance || exists(*maintenance, options.database, deadline)) {
            throw;
        }
    }
    return std::nullopt;
}

Connection open_existing(const ConnectOptions& options, Deadline deadline) {
    auto connection = open_if_there(options, deadline);
    if (!connection) {
        throw Error(Action::stop, fmt::format("database {} does not exist; outbox-migrate up creates it",
                                              quoted(options.database)));
    }
    return std::move(*connection);
}

Connection open_or_create(const ConnectOptions& options, Deadline deadline,
                          const std::function<void(std::string_view)>& progress, bool& created) {
    try {
        return Connection::open(options, deadline);
    } catch (const DatabaseError&) {
        auto maintenance = open_maintenance(options, deadline);
        if (!maintenance) {
            throw;
        }
        // It may exist by now: somebody else's `up` was faster. Copying the template may take longer than
        // connecting.
        created = !exists(*maintenance, options.database, deadline) &&
                  create(*maintenance, options, Deadline::in(std::chrono::minutes(2)));
        if (created) {
            progress(fmt::format("database {} created", quoted(options.database)));
        }
    }
    return Connection::open(options, Deadline::in(options.connect_timeout));
}

bool drop_created(const ConnectOptions& options, Deadline deadline) {
    try {
        auto maintenance = open_maintenance(options, deadline);
        if (maintenance) {
            maintenance->query(fmt::format("DROP DATABASE {}", quoted(options.database)), {}, deadline);
        }
        return maintenance.has_value();
    } catch (const Error&) {
        return false; // somebody else uses it by now
    }
}

std::string readable(const DatabaseError& error) {
    std::string text = error.what();
    if (const auto ours = text.find(": "); ours != std::string::npos && text.rfind("script", ours) == 0) {
        text.erase(0, ours + 2);
    } else if (text.rfind("query: ", 0) == 0) {
        text.erase(0, 7);
    }
    if (error.sqlstate() == "P0001") { // RAISE EXCEPTION of a file: its own words are enough
        text.erase(std::min(text.find("\nCONTEXT:"), text.size()));
    }
    std::string indented = "  ";
    for (const char c : text) {
        indented += c;
        if (c == '\n') {
            indented += "  ";
        }
    }
    return indented;
}

} // namespace outbox::migrations
