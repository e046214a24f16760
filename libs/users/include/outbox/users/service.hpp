#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/postgres/pool.hpp>
#include <outbox/users/idempotency.hpp>
#include <outbox/users/trace_context.hpp>
#include <outbox/users/user.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>

namespace outbox::users {

/// What every event of this API has in common.
struct EventSettings {
    std::string topic;
    std::int32_t max_retries = 3;
};

/// What a change needs to know about the request it comes from.
struct Origin {
    Deadline deadline;
    TraceContext trace = {}; ///< goes into the events that the change causes
};

/// The Idempotency-Key has been used for another request.
class KeyReused final : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override {
        return "the Idempotency-Key was used for a different request";
    }
};

/// The use cases. Every change is one transaction: the user's row and its event, both or none.
///
/// Conflicts of transactions and lost connections are tried again, a few times within the deadline, as long
/// as the COMMIT has not been sent. All calls throw Error (retry, reconnect) when that does not help, and
/// CommitInDoubt. Thread-safe.
class UserService {
public:
    /// @param pool  outlives the service.
    UserService(postgres::Pool& pool, EventSettings events) : pool_(pool), events_(std::move(events)) {}

    /// Adds a user and its user.created event.
    /// @param key            repeated, gives the first answer again.
    /// @param before_commit  called with everything written; what it throws undoes it.
    /// @throws DuplicateEmail, KeyReused
    Answer create(
        const NewUser& user, const std::optional<std::string>& key, const Origin& origin,
        const std::function<void()>& before_commit = [] {});

    /// @return nullopt when there is no such user.
    std::optional<User> find(const Uuid& id, Deadline deadline);

    /// Changes a user and adds its user.updated event, even when nothing is different from before.
    /// @param precondition  called, unless it is empty, with the user as it is, which nobody else can change
    /// then;
    ///                      what it throws leaves everything as it was.
    /// @return nullopt when there is no such user. @throws DuplicateEmail
    std::optional<User> update(const Uuid& id, const UserChange& change, const Origin& origin,
                               const std::function<void(const User&)>& precondition = {});

private:
    template <class Body>
    auto with_connection(Deadline deadline, Body body);
    template <class Body>
    auto in_transaction(Deadline deadline, Body body);

    User insert(postgres::Transaction& transaction, const NewUser& user, const Origin& origin) const;
    Answer create_once(postgres::Transaction& transaction, const NewUser& user, const std::string& key,
                       const Origin& origin) const;
    void write_event(postgres::Transaction& transaction, const User& user, const char* type,
                     const Origin& origin) const;
    void purge_now_and_then(Deadline deadline) noexcept;

    postgres::Pool& pool_;
    const EventSettings events_;
    std::atomic<SteadyClock::rep> next_purge_ = 0;
};

} // namespace outbox::users
