#include "outbox/users/idempotency.hpp"

namespace outbox::users {
namespace {

// The class of these advisory locks is the server's own; the outbox has some from 1868693505 on.
constexpr postgres::Statement lock_statement{"idempotency_lock",
                                             "SELECT pg_advisory_xact_lock(1970496882, hashtext($1))"};

constexpr postgres::Statement find_statement{
    "idempotency_find", "SELECT status, location, body, request_hash = sha256(convert_to($2, 'UTF8'))"
                        " FROM idempotency_keys WHERE key = $1 AND expires_at > now()"};

// A row that stands here has expired and was not purged yet.
constexpr postgres::Statement store_statement{
    "idempotency_store",
    "INSERT INTO idempotency_keys (key, request_hash, status, location, body, expires_at)"
    " VALUES ($1, sha256(convert_to($2, 'UTF8')), $3, $4, $5, now() + interval '1 day')"
    " ON CONFLICT (key) DO UPDATE SET request_hash = excluded.request_hash, status = excluded.status,"
    " location = excluded.location, body = excluded.body, expires_at = excluded.expires_at"};

constexpr postgres::Statement purge_statement{
    "idempotency_purge", "DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys"
                         " WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)"};

} // namespace

void lock_idempotency_key(postgres::Transaction& transaction, const std::string& key) {
    transaction.run(lock_statement, {key});
}

std::optional<StoredAnswer> find_answer(postgres::Transaction& transaction, const std::string& key,
                                        const std::string& fingerprint) {
    const auto result = transaction.run(find_statement, {key, fingerprint});
    if (result.empty()) {
        return std::nullopt;
    }
    return StoredAnswer{{static_cast<int>(result.integer(0, 0)), result.text(0, 1), result.text(0, 2)},
                        result.boolean(0, 3)};
}

void store_answer(postgres::Transaction& transaction, const std::string& key, const std::string& fingerprint,
                  const Answer& answer) {
    transaction.run(store_statement, {key, fingerprint, answer.status, answer.location, answer.body});
}

std::int64_t purge_answers(postgres::Connection& connection, int limit, Deadline deadline) {
    return connection.run(purge_statement, {limit}, deadline).affected();
}

} // namespace outbox::users
