#pragma once

#include <outbox/postgres/transaction.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace outbox::users {

/// The first answer to a request, as it is given again to a repetition.
struct Answer {
    int status = 201;
    std::string location;
    std::string body;
};

/// Makes other requests with this key wait until the transaction ends.
/// @throws postgres::DatabaseError, retry when the wait is too long
void lock_idempotency_key(postgres::Transaction& transaction, const std::string& key);

struct StoredAnswer {
    Answer answer;
    bool same_request = false; ///< it was given to a request with the same fingerprint
};

/// @param fingerprint  text that is equal for equal requests; its hash is kept.
/// @return nullopt when the key is new or has expired. @throws postgres::DatabaseError
std::optional<StoredAnswer> find_answer(postgres::Transaction& transaction, const std::string& key,
                                        const std::string& fingerprint);

/// Keeps the answer for a day. @pre the key is locked and find_answer found nothing
void store_answer(postgres::Transaction& transaction, const std::string& key, const std::string& fingerprint,
                  const Answer& answer);

/// Removes expired answers, oldest first, at most `limit`. @return how many
std::int64_t purge_answers(postgres::Connection& connection, int limit, Deadline deadline);

} // namespace outbox::users
