#include "outbox/users/user_store.hpp"

#include <outbox/users/sql/users.hpp>

namespace outbox::users {
namespace {

/// A user from the columns of sql/users.sql.
User user_from(const postgres::Result& result) {
    return {result.uuid(0, 0), result.text(0, 1), result.text(0, 2), result.maybe_text(0, 3),
            result.maybe_text(0, 4)};
}

/// `email` is the table's only unique column that a client chooses.
template <class Write>
postgres::Result unless_duplicate(Write write) {
    constexpr auto unique_violation = "23505";
    try {
        return write();
    } catch (const postgres::DatabaseError& error) {
        if (error.sqlstate() == unique_violation) {
            throw DuplicateEmail();
        }
        throw;
    }
}

/// Users who swap their addresses would wait for each other in the unique index, for a second, until the
/// database ends one of them. So who changes an address first locks the row, then the old and the new address
/// in a fixed order. One who adds a user needs no lock: it holds nothing that others wait for while it waits.
void lock_addresses(postgres::Transaction& transaction, const Uuid& id, const std::string& email) {
    const auto row = transaction.run(sql::users_lock, {id});
    if (!row.empty() && row.bytes(0, 0) != email) {
        transaction.run(sql::users_lock_addresses, {row.bytes(0, 0), email});
    }
}

} // namespace

User insert_user(postgres::Transaction& transaction, const NewUser& user) {
    return user_from(unless_duplicate([&] {
        return transaction.run(sql::users_insert, {Uuid::time_ordered(), user.email, user.name});
    }));
}

std::optional<User> update_user(postgres::Transaction& transaction, const Uuid& id,
                                const UserChange& change) {
    if (change.email) {
        lock_addresses(transaction, id, *change.email);
    }
    const auto result = unless_duplicate([&] {
        return transaction.run(sql::users_update, {id, change.email, change.name});
    });
    return result.empty() ? std::nullopt : std::optional(user_from(result));
}

std::optional<User> lock_user(postgres::Transaction& transaction, const Uuid& id) {
    const auto result = transaction.run(sql::users_find_and_lock, {id});
    return result.empty() ? std::nullopt : std::optional(user_from(result));
}

std::optional<User> find_user(postgres::Connection& connection, const Uuid& id, Deadline deadline) {
    const auto result = connection.run(sql::users_find, {id}, deadline);
    return result.empty() ? std::nullopt : std::optional(user_from(result));
}

} // namespace outbox::users
