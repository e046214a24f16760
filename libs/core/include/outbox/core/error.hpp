#pragma once

#include <stdexcept>
#include <string>

namespace outbox {

/// What the caller can do next. Named for the reaction, not the origin.
enum class Action {
    retry,      ///< the same call may succeed: a conflict, a full queue, an elapsed deadline
    reconnect,  ///< the connection or producer is of no use any more; make a new one
    quarantine, ///< this one input can never succeed; set it aside and go on with the others
    stop        ///< nobody but an operator can help, or going on could break a guarantee (Contradiction)
};

/// Work could not go on. The message names what was tried; it holds no secrets and no payloads.
class Error : public std::runtime_error {
public:
    /// @param message  names what was tried; no secrets, no payloads
    Error(Action action, const std::string& message) : std::runtime_error(message), action_(action) {}

    /// What is of use now.
    [[nodiscard]] Action action() const noexcept { return action_; }

private:
    Action action_;
};

/// Two sides that must agree contradict each other: going on would be a guess, and only an operator can say
/// which of them is right.
class Contradiction final : public Error {
public:
    /// @param message  names both sides
    explicit Contradiction(const std::string& message) : Error(Action::stop, message) {}
};

/// COMMIT was sent, its answer lost: the rows may exist. Never retried blindly.
class CommitInDoubt final : public Error {
public:
    /// @param message  names the transaction
    explicit CommitInDoubt(const std::string& message) : Error(Action::reconnect, message) {}
};

/// The user asked for something that is not allowed. One line; programs print it and exit 2.
class UsageError final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace outbox
