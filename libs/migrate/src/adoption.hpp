#pragma once

#include <outbox/migrate/migration.hpp>
#include <outbox/postgres/connection.hpp>

#include <optional>
#include <string>
#include <string_view>

// Tables that stood there before us.
namespace outbox::migrations::adoption {

/// What the step's file works on. The files of outbox_events tell by its comment what they adopted; the
/// comment that it had is its owner's. One object around one file, in one transaction.
class Comment {
public:
    Comment(postgres::Connection& connection, const Migration& migration, Deadline deadline);

    /// Before a down file: what the history says, in the words that the file reads.
    void tell(bool adopted);
    /// After the file: the owner's comment stands again. @return whether an up file adopted the table
    bool restore();

private:
    [[nodiscard]] std::optional<std::string> read();
    void write(const std::optional<std::string>& text);

    postgres::Connection& connection_;
    Deadline deadline_;
    bool concerned_; ///< whether the file is about outbox_events
    std::optional<std::string> before_;
};

/// How a step of the example stands to the table of its name: there is none, it is the example's own, or
/// somebody else's.
enum class Place { free, ours, foreign };
Place place_of(postgres::Connection& connection, const Migration& migration, Deadline deadline);

} // namespace outbox::migrations::adoption
