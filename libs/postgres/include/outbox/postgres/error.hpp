#pragma once

#include <outbox/core/error.hpp>

#include <span>
#include <string>
#include <string_view>

namespace outbox::postgres {

/// What happened -> what is done.
struct Failing {
    std::string_view prefix;   ///< of the SQLSTATE
    Action action;             ///< that it gets
    std::string_view happened; ///< in words
    std::string_view done;     ///< by the programs, in words
    /// Of the server's source, where one state means different things: the row is about errors from it alone.
    std::string_view routine = {};
};

/// The table: a row for every class of SQLSTATE, and for members of a class that differ.
std::span<const Failing> failures();

/// What a caller can do after an answer with this SQLSTATE; one table decides.
/// An empty state means that no answer came: reconnect.
/// @param routine  of the server's source that raised it; its name is never translated
Action action_for(std::string_view sqlstate, std::string_view routine = {});

/// The server refused a statement, or the connection is gone (empty sqlstate).
class DatabaseError final : public Error {
public:
    /// @param sqlstate  decides the Action; empty when no answer came
    /// @param message   names what was asked
    /// @param routine   decides as well, where one state means different things
    DatabaseError(std::string sqlstate, const std::string& message, std::string hint = {},
                  std::string constraint = {}, std::string reason = {}, std::string_view routine = {})
        : Error(action_for(sqlstate, routine), message),
          sqlstate_(std::move(sqlstate)),
          hint_(std::move(hint)),
          constraint_(std::move(constraint)),
          reason_(std::move(reason)) {}

    ///@{
    /// What the server says; empty where it says nothing.
    [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }
    [[nodiscard]] const std::string& hint() const noexcept { return hint_; }
    [[nodiscard]] const std::string& constraint() const noexcept { return constraint_; }
    /// Its message alone, one line.
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
    ///@}

private:
    std::string sqlstate_;
    std::string hint_;
    std::string constraint_;
    std::string reason_;
};

} // namespace outbox::postgres
