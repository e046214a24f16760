// Keys of which an event waits. Order within a key says that nothing may overtake the event that waits,
// and a key may have 100,000 later ones: they are held aside once (next_attempt_at = 'infinity'), so
// that claims do not walk over them, and come back in order, oldest first, when nothing of the key
// waits any more.
#include "outbox/store/shard.hpp"
#include "outbox/store/texts.hpp"
#include "rows.hpp"

#include <outbox/store/sql/waiting.hpp>

#include <algorithm>

namespace outbox::store {
namespace {

using postgres::Format;
using postgres::Result;

} // namespace

std::vector<int> ShardStore::waiting_buckets() {
    const Result found = connection_.run(sql::waiting_buckets, {bucket_array_}, Deadline::in(timeout_));
    std::vector<int> buckets;
    for (int i = 0; i < found.rows(); ++i) {
        buckets.push_back(static_cast<int>(found.integer(i, 0)));
    }
    return buckets;
}

/// One row, alone: it failed before, and must not take others with it once more.
RowSet Turn::claim_due(std::span<const std::string> parked_topics) {
    RowSet claimed;
    store_.choice_ = {sql::choose_due, {store_.due_buckets(), texts(parked_topics)}};
    add_rows(claimed, transaction_.run(sql::take_due, store_.choice_.params, Format::binary));
    if (!claimed.empty()) {
        read_large(claimed, 0);
        note_processing(claimed);
    }
    return claimed;
}

/// While the key's oldest row waits the statement finds nothing.
RowSet Turn::claim_held(const BlockedKey& key, const ClaimLimits& limits,
                        std::span<const std::string> parked_topics) {
    RowSet claimed;
    std::size_t bytes = 0;
    const std::size_t step = std::min(limits.rows_a_statement, limits.rows);
    bool more = true;
    store_.choice_ = {sql::choose_held,
                      {key.bucket, key.key, texts(parked_topics), static_cast<std::int64_t>(step)}};
    while (more && claimed.rows.size() + step <= limits.rows && bytes < limits.bytes) {
        const Result taken = transaction_.run(sql::take_held, store_.choice_.params, Format::binary);
        more = static_cast<std::size_t>(taken.rows()) == step;
        bytes += add_rows(claimed, taken);
    }
    // UPDATE returns rows as they lie in the table.
    std::sort(claimed.rows.begin(), claimed.rows.end(),
              [](const Row& a, const Row& b) { return a.seq < b.seq; });
    const auto left = read_large(claimed, limits.bytes);
    put_back(left);
    note_processing(claimed);
    if (!more && left.empty()) {
        written_ = true;
        transaction_.run(sql::unblock, {key.bucket, key.key});
    }
    return claimed;
}

std::size_t Turn::hold_followers(int bucket, std::span<const std::int64_t> in_flight) {
    written_ = true;
    return static_cast<std::size_t>(
        transaction_.run(sql::hold, {bucket, numbers(in_flight), static_cast<std::int64_t>(hold_limit)})
            .affected());
}

std::vector<BlockedKey> Turn::sort_blocked(int bucket) {
    written_ = true;
    transaction_.run(sql::unblock_all, {bucket});
    const Result found = transaction_.run(sql::find_free, {bucket});
    std::vector<BlockedKey> keys;
    for (int i = 0; i < found.rows(); ++i) {
        keys.push_back({bucket, found.text(i, 0)});
    }
    return keys;
}

} // namespace outbox::store
