#include "outbox/users/user_store.hpp"

namespace outbox::users {
namespace {

#define USER_COLUMNS                                                                                         \
    "id, email, name, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),"          \
    " to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

constexpr postgres::Statement insert_statement{"users_insert",
                                               "INSERT INTO users (id, email, name, created_at, updated_at)"
                                               " VALUES ($1, $2, $3, now(), now()) RETURNING " USER_COLUMNS};

// clock_timestamp(), because now() may lie before the change that this one had to wait for.
constexpr postgres::Statement update_statement{
    "users_update",
    "UPDATE users SET email = coalesce($2, email), name = coalesce($3, name),"
    " updated_at = greatest(clock_timestamp(), updated_at) WHERE id = $1 RETURNING " USER_COLUMNS};

constexpr postgres::Statement lock_row_statement{"users_lock",
                                                 "SELECT email FROM users WHERE id = $1 FOR UPDATE"};

// In the order of the hashes. The class of these advisory locks is the server's own.
constexpr postgres::Statement lock_addresses_statement{
    "users_lock_addresses",
    "SELECT pg_advisory_xact_lock(1970496883, hash) FROM"
    " (SELECT DISTINCT hashtext(address) AS hash FROM unnest(ARRAY[$1, $2]::text[]) address"
    "  ORDER BY 1) sorted"};

constexpr postgres::Statement find_statement{"users_find",
                                             "SELECT " USER_COLUMNS " FROM users WHERE id = $1"};

constexpr postgres::Statement find_and_lock_statement{
    "users_find_and_lock", "SELECT " USER_COLUMNS " FROM users WHERE id = $1 FOR UPDATE"};

#undef USER_COLUMNS

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
    const auto row = transaction.run(lock_row_statement, {id});
    if (!row.empty() && row.bytes(0, 0) != email) {
        transaction.run(lock_addresses_statement, {row.bytes(0, 0), email});
    }
}

} // namespace

User insert_user(postgres::Transaction& transaction, const NewUser& user) {
    return user_from(unless_duplicate([&] {
        return transaction.run(insert_statement, {Uuid::time_ordered(), user.email, user.name});
    }));
}

std::optional<User> update_user(postgres::Transaction& transaction, const Uuid& id,
                                const UserChange& change) {
    if (change.email) {
        lock_addresses(transaction, id, *change.email);
    }
    const auto result = unless_duplicate([&] {
        return transaction.run(update_statement, {id, change.email, change.name});
    });
    return result.empty() ? std::nullopt : std::optional(user_from(result));
}

std::optional<User> lock_user(postgres::Transaction& transaction, const Uuid& id) {
    const auto result = transaction.run(find_and_lock_statement, {id});
    return result.empty() ? std::nullopt : std::optional(user_from(result));
}

std::optional<User> find_user(postgres::Connection& connection, const Uuid& id, Deadline deadline) {
    const auto result = connection.run(find_statement, {id}, deadline);
    return result.empty() ? std::nullopt : std::optional(user_from(result));
}

} // namespace outbox::users
