// The use cases of the worked example. Each is one transaction that writes the business row and its
// event together; that is all that a service has to do. An attempt that failed before its COMMIT is
// repeated within the request's deadline; one whose COMMIT was sent and not answered is not, unless the
// client comes back with the same Idempotency-Key.

#include "outbox/users/service.hpp"

#include "outbox/users/user_store.hpp"

#include <outbox/telemetry/log.hpp>
#include <outbox/writer/insert.hpp>

#include <nlohmann/json.hpp>

#include <span>
#include <thread>

namespace outbox::users {
namespace {

constexpr int most_attempts = 5;
const postgres::Statement insert_events{"outbox_add_events", insert_statement};

/// The writer's, in a transaction of this program's own connections.
void add_event(postgres::Transaction& transaction, const Event& event) {
    const auto values = insert_parameters(std::span(&event, 1));
    transaction.run(insert_events, postgres::Params(values.begin(), values.end()));
}

/// Whether a repetition may help and still has time to be answered.
bool worth_another_try(const Error& error, int attempt, Deadline deadline) {
    const bool may_help = error.action() == Action::retry || error.action() == Action::reconnect;
    return may_help && attempt < most_attempts && deadline.left() > milliseconds(50);
}

/// A little longer each time, with a random part, so that two that collided do not collide again.
void pause_before(int attempt, Deadline deadline) {
    const auto jitter = std::chrono::milliseconds(Uuid::random().bytes()[0] % 16);
    std::this_thread::sleep_until(deadline.at_most(std::chrono::milliseconds(10) * attempt + jitter).time());
}

/// What makes two requests the same one, for an Idempotency-Key.
std::string fingerprint_of(const NewUser& user) {
    return nlohmann::json{user.email, user.name}.dump();
}

/// 201 with the user's address.
Answer answer_for(const User& user) {
    return {201, location_of(user), to_json(user)};
}

} // namespace

template <class Body>
auto UserService::with_connection(Deadline deadline, Body body) {
    for (int attempt = 1;; ++attempt) {
        try {
            auto loan = pool_.borrow(deadline);
            try {
                return body(*loan);
            } catch (const Error& error) {
                if (error.action() == Action::stop) {
                    loan->close(); // perhaps prepared before a migration: start afresh
                }
                throw;
            }
        } catch (const CommitInDoubt&) {
            throw;
        } catch (const Error& error) {
            if (!worth_another_try(error, attempt, deadline)) {
                throw;
            }
            log::debug("trying again", {{"attempt", attempt}, {"reason", error.what()}});
        }
        pause_before(attempt, deadline);
    }
}

template <class Body>
auto UserService::in_transaction(Deadline deadline, Body body) {
    return with_connection(deadline, [&](postgres::Connection& connection) {
        // A statement after a lock must see what the lock's last holder wrote, whatever the database's
        // default is.
        postgres::Transaction transaction(connection, deadline, "BEGIN ISOLATION LEVEL READ COMMITTED");
        auto result = body(transaction);
        transaction.commit();
        return result;
    });
}

/// The event of a change: its key is the user's id, so events of one user stay in order.
void UserService::write_event(postgres::Transaction& transaction, const User& user, const char* type,
                              const Origin& origin) const {
    const auto id = user.id.to_string();
    Event event("user", id, type, to_json(user), events_.topic);
    event.set_partition_key(id).set_max_retries(events_.max_retries);
    event.set_trace(origin.trace.traceparent, origin.trace.tracestate);
    add_event(transaction, event);
}

User UserService::insert(postgres::Transaction& transaction, const NewUser& user,
                         const Origin& origin) const {
    User inserted = insert_user(transaction, user);
    write_event(transaction, inserted, "user.created", origin);
    return inserted;
}

/// The key's lock comes first: two requests with one key must not both find no stored answer.
Answer UserService::create_once(postgres::Transaction& transaction, const NewUser& user,
                                const std::string& key, const Origin& origin) const {
    const std::string fingerprint = fingerprint_of(user);
    lock_idempotency_key(transaction, key);
    if (auto stored = find_answer(transaction, key, fingerprint)) {
        if (!stored->same_request) {
            throw KeyReused();
        }
        return std::move(stored->answer);
    }
    Answer answer = answer_for(insert(transaction, user, origin));
    store_answer(transaction, key, fingerprint, answer);
    return answer;
}

Answer UserService::create(const NewUser& user, const std::optional<std::string>& key, const Origin& origin,
                           const std::function<void()>& before_commit) {
    Answer answer = in_transaction(origin.deadline, [&](postgres::Transaction& transaction) {
        Answer given = key ? create_once(transaction, user, *key, origin)
                           : answer_for(insert(transaction, user, origin));
        before_commit();
        return given;
    });
    if (key) {
        purge_now_and_then(origin.deadline);
    }
    return answer;
}

std::optional<User> UserService::find(const Uuid& id, Deadline deadline) {
    return with_connection(deadline, [&](postgres::Connection& connection) {
        if (connection.transaction_settings().empty()) {
            return find_user(connection, id, deadline);
        }
        postgres::Transaction transaction(connection,
                                          deadline); // a pooler's session has our schema in it alone
        auto user = find_user(connection, id, deadline);
        transaction.commit();
        return user;
    });
}

std::optional<User> UserService::update(const Uuid& id, const UserChange& change, const Origin& origin,
                                        const std::function<void(const User&)>& precondition) {
    return in_transaction(origin.deadline, [&](postgres::Transaction& transaction) {
        if (precondition) {
            const auto current = lock_user(transaction, id);
            if (!current) {
                return current;
            }
            precondition(*current);
        }
        // The row is locked from here on, so the events of one user come in the order of their commits.
        auto user = update_user(transaction, id, change);
        if (user) {
            write_event(transaction, *user, "user.updated", origin);
        }
        return user;
    });
}

/// Removes answers that have expired, by one worker at a time and at most once a minute.
void UserService::purge_now_and_then(Deadline deadline) noexcept {
    constexpr int limit = 1'000;
    const auto now = SteadyClock::now();
    auto due = next_purge_.load();
    if (now.time_since_epoch().count() < due) {
        return;
    }
    const auto next = now + std::chrono::minutes(1);
    if (!next_purge_.compare_exchange_strong(due, next.time_since_epoch().count())) {
        return; // another worker is at it
    }
    try {
        auto loan = pool_.borrow(deadline);
        postgres::Transaction transaction(*loan, deadline);
        const auto purged = purge_answers(*loan, limit, deadline);
        transaction.commit();
        if (purged == limit) {
            next_purge_ = 0; // more is waiting: go on at the next occasion
        }
    } catch (const std::exception& error) {
        log::warn("expired idempotency keys not removed", {{"reason", error.what()}});
    }
}

} // namespace outbox::users
