// Answers that were given, by the client's key. The lock on a key comes first, so that of two requests
// with one key the second finds the answer of the first. The fingerprint tells a repetition from
// another request that uses the same key by mistake.

#include "outbox/users/idempotency.hpp"

#include <outbox/users/sql/idempotency.hpp>

namespace outbox::users {
void lock_idempotency_key(postgres::Transaction& transaction, const std::string& key) {
    transaction.run(sql::idempotency_lock, {key});
}

std::optional<StoredAnswer> find_answer(postgres::Transaction& transaction, const std::string& key,
                                        const std::string& fingerprint) {
    const auto result = transaction.run(sql::idempotency_find, {key, fingerprint});
    if (result.empty()) {
        return std::nullopt;
    }
    return StoredAnswer{{static_cast<int>(result.integer(0, 0)), result.text(0, 1), result.text(0, 2)},
                        result.boolean(0, 3)};
}

void store_answer(postgres::Transaction& transaction, const std::string& key, const std::string& fingerprint,
                  const Answer& answer) {
    transaction.run(sql::idempotency_store, {key, fingerprint, answer.status, answer.location, answer.body});
}

std::int64_t purge_answers(postgres::Connection& connection, int limit, Deadline deadline) {
    return connection.run(sql::idempotency_purge, {limit}, deadline).affected();
}

} // namespace outbox::users
