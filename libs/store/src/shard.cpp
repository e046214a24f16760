#include "outbox/store/shard.hpp"

#include "effect.hpp"
#include "outbox/store/numbering.hpp"
#include "outbox/store/relays.hpp"
#include "outbox/store/sql.hpp"

#include <outbox/core/event.hpp>
#include <outbox/faults/faults.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <unordered_map>
#include <utility>

namespace outbox::store {
namespace {

using postgres::Params;
using postgres::Result;
using postgres::Statement;
using postgres::Transaction;

constexpr Statement take_shard{
    "outbox_take_shard",
    "UPDATE outbox_shards AS s SET owner = $2, epoch = s.epoch + 1, owned_since = clock_timestamp(), stopped "
    "= NULL"
    " WHERE s.shard = $1 AND (s.owner IS NULL OR s.owner = $2 OR NOT EXISTS"
    " (SELECT 1 FROM outbox_relays AS r WHERE r.relay = s.owner AND " OUTBOX_RELAY_ALIVE "))"
    " AND EXISTS (SELECT 1 FROM outbox_meta AS m WHERE m.shard_count = $3 AND m.outbox_id = $4)"
    " RETURNING s.epoch, s.marked_batch, s.marked_offset"};

constexpr Statement release_shard{"outbox_release_shard",
                                  "UPDATE outbox_shards SET owner = NULL, owned_since = NULL"
                                  " WHERE shard = $1 AND owner = $2 AND epoch = $3"};

constexpr Statement owns_shard{"outbox_owns_shard",
                               "SELECT 1 FROM outbox_shards WHERE shard = $1 AND owner = $2 AND epoch = $3"};

constexpr Statement raise_shard{"outbox_raise_shard",
                                "UPDATE outbox_shards SET epoch = epoch + 1"
                                " WHERE shard = $1 AND owner = $2 AND epoch = $3 RETURNING epoch"};

constexpr Statement stop_shard{"outbox_stop_shard", "UPDATE outbox_shards SET stopped = nullif($4, '')"
                                                    " WHERE shard = $1 AND owner = $2 AND epoch = $3"};

constexpr Statement why_stopped{
    "outbox_why_stopped", "SELECT stopped FROM outbox_shards WHERE shard = $1 AND owner = $2 AND epoch = $3"};

constexpr Statement look{
    "outbox_peek",
    "SELECT EXISTS (SELECT 1 FROM unnest($1::smallint[], $3::bigint[]) AS b(bucket, floor) CROSS JOIN LATERAL"
    " (SELECT 1 FROM outbox_events AS o WHERE o.bucket = b.bucket AND o.seq > b.floor AND " OUTBOX_NEW
    " AND o.topic <> ALL ($2::text[]) AND NOT " OUTBOX_BLOCKED " ORDER BY o.seq LIMIT 1) AS found),"
    " (SELECT ceil(extract(epoch FROM min(due.at) - clock_timestamp()) * 1000)::bigint"
    " FROM unnest($1::smallint[]) AS b(bucket) CROSS JOIN LATERAL"
    " (SELECT o.next_attempt_at FROM outbox_events AS o WHERE o.bucket = b.bucket AND " OUTBOX_RETRY
    " AND o.topic <> ALL ($2::text[]) AND NOT " OUTBOX_FOLLOWS_WAITING(
        "$2") " ORDER BY o.next_attempt_at LIMIT 1) AS due(at)),"
              " EXISTS (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = ANY ($1::smallint[])"
              " AND NOT " OUTBOX_FAILED_BLOCKS ")"};

constexpr Statement lock_doorbell{"outbox_lock_doorbell",
                                  "SELECT b.bucket, pg_try_advisory_lock(" OUTBOX_DOORBELL_LOCK(
                                      "b.bucket") ") FROM unnest($1::integer[]) AS b(bucket)"};

constexpr Statement unlock_doorbell{"outbox_unlock_doorbell",
                                    "SELECT count(pg_advisory_unlock(" OUTBOX_DOORBELL_LOCK(
                                        "b.bucket") ")) FROM unnest($1::integer[]) AS b(bucket)"};

#define OUTBOX_SETTLE                                                                                        \
    "UPDATE outbox_events AS o SET status = $3::text, processed_at = clock_timestamp(),"                     \
    " next_attempt_at = NULL, retry_count = CASE WHEN $5::integer > 0"                                       \
    " THEN coalesce(o.retry_count, 0) + $5::integer ELSE o.retry_count END,"                                 \
    " error_message = CASE $3::text WHEN 'FAILED' THEN concat_ws('; ', o.error_message, $4::text) END "

constexpr Statement settle_ready{"outbox_settle_ready", OUTBOX_SETTLE
                                 "FROM unnest($1::smallint[], $2::bigint[]) AS m(bucket, seq)"
                                 " WHERE o.bucket = m.bucket AND o.seq = m.seq AND " OUTBOX_READY
                                 " RETURNING o.seq, o.id"};

constexpr Statement settle_waiting{"outbox_settle_waiting", OUTBOX_SETTLE
                                   "WHERE o.bucket = ANY ($1::smallint[]) AND o.seq = ANY ($2::bigint[])"
                                   " AND " OUTBOX_WAITING " RETURNING o.seq, o.id"};

// No index finds a row of any state by its number: the table is read once, where the numbers may be.
constexpr Statement find_manifested{
    "outbox_find_manifested",
    "SELECT o.seq, o.id FROM outbox_events AS o WHERE o.bucket = ANY ($1::smallint[])"
    " AND o.seq BETWEEN (SELECT min(m.seq) FROM unnest($2::bigint[]) AS m(seq))"
    " AND (SELECT max(m.seq) FROM unnest($2::bigint[]) AS m(seq)) AND o.seq + 0 = ANY ($2::bigint[])"};
constexpr Statement find_ready{
    "outbox_find_ready", "SELECT o.seq, o.id FROM unnest($1::smallint[], $2::bigint[]) AS m(bucket, seq)"
                         " JOIN outbox_events AS o ON o.bucket = m.bucket AND o.seq = m.seq"
                         " WHERE " OUTBOX_READY};

constexpr Statement find_waiting{"outbox_find_waiting",
                                 "SELECT o.seq, o.id FROM outbox_events AS o"
                                 " WHERE o.bucket = ANY ($1::smallint[]) AND o.seq = ANY ($2::bigint[])"
                                 " AND " OUTBOX_WAITING};

constexpr Statement block_failed{
    "outbox_block_failed",
    "INSERT INTO outbox_blocked_keys (bucket, key, failed_seq)"
    " SELECT DISTINCT ON (o.bucket, " OUTBOX_KEY_OF("o") ") o.bucket, " OUTBOX_KEY_OF(
        "o") ", o.seq FROM outbox_events AS o"
             " WHERE o.bucket = ANY ($1::smallint[]) AND o.seq = ANY ($2::bigint[]) AND o.failed"
             " ORDER BY 1, 2, 3 DESC" OUTBOX_BLOCK_FAILED_KEYS};

constexpr Statement reset_ready{"outbox_reset_ready",
                                "UPDATE outbox_events AS o SET " OUTBOX_BACK
                                " FROM outbox_shards AS s, unnest($1::smallint[]) AS b(bucket)"
                                " WHERE s.shard = $2 AND o.bucket = b.bucket AND o.seq <= s.claimed_seq"
                                " AND o.status = 'PROCESSING' AND " OUTBOX_READY};

constexpr Statement reset_waiting{"outbox_reset_waiting",
                                  "UPDATE outbox_events AS o SET status = 'NEW'"
                                  " WHERE o.bucket = ANY ($1::smallint[]) AND o.status = 'PROCESSING'"
                                  " AND " OUTBOX_WAITING};

// Waits end within a minute; what is due later was planned by a server whose clock was ahead.
constexpr Statement hasten_retries{
    "outbox_hasten_retries",
    "UPDATE outbox_events AS o SET next_attempt_at = clock_timestamp() WHERE o.bucket = ANY ($1::smallint[])"
    " AND " OUTBOX_RETRY " AND o.retry_count > 0"
    " AND o.next_attempt_at > clock_timestamp() + interval '2 minutes'"};

constexpr Statement block_waiting_keys{
    "outbox_block_waiting_keys",
    "INSERT INTO outbox_blocked_keys (bucket, key) SELECT DISTINCT o.bucket, " OUTBOX_KEY_OF(
        "o") " FROM outbox_events AS o WHERE o.bucket = ANY ($1::smallint[]) AND " OUTBOX_WAITING
             " ON CONFLICT DO NOTHING"};

constexpr Statement move_mark{
    "outbox_settle_mark", "UPDATE outbox_shards SET marked_batch = $2, marked_offset = $3 WHERE shard = $1"};

Params owner_params(const Ownership& ownership) {
    return {ownership.shard, ownership.relay, ownership.epoch};
}

std::string exclusive_lock(int shard) {
    return fmt::format("BEGIN; SELECT pg_advisory_xact_lock(" OUTBOX_SHARD_LOCK("{}") ")", shard);
}

std::string seqs_of(std::span<const ManifestedRow> rows) {
    return array_of(rows,
                    [](std::string& text, const ManifestedRow& row) { text += std::to_string(row.seq); });
}

std::string buckets_of(std::span<const ManifestedRow> rows) {
    return array_of(rows,
                    [](std::string& text, const ManifestedRow& row) { text += std::to_string(row.bucket); });
}

using Digests = std::unordered_map<std::int64_t, std::uint32_t>;

Digests digests_of(std::span<const ManifestedRow> rows) {
    Digests digests;
    for (const ManifestedRow& row : rows) {
        digests.emplace(row.seq, row.digest);
    }
    return digests;
}

/// Of rows (seq, id): the first that is another event than the manifests name.
std::optional<std::int64_t> first_stranger(const Result& found, const Digests& digests) {
    for (int i = 0; i < found.rows(); ++i) {
        if (id_digest(found.uuid(i, 1)) != digests.at(found.integer(i, 0))) {
            return found.integer(i, 0);
        }
    }
    return std::nullopt;
}

/// The numbers and ids of those that are unsent.
std::array<Result, 2> find_unsettled(postgres::Connection& connection, const std::string& buckets,
                                     std::span<const ManifestedRow> rows, Deadline deadline) {
    const std::string seqs = seqs_of(rows);
    return {connection.run(find_ready, {buckets_of(rows), seqs}, deadline),
            connection.run(find_waiting, {buckets, seqs}, deadline)};
}

/// Whether other events, and no others, have the manifests' numbers. In any state: what was sent already is
/// there as well.
bool was_emptied(Transaction& transaction, const std::string& buckets, std::span<const ManifestedRow> rows) {
    const auto digests = digests_of(rows);
    const Result found = transaction.run(find_manifested, {buckets, seqs_of(rows)});
    int strangers = 0;
    for (int i = 0; i < found.rows(); ++i) {
        strangers += id_digest(found.uuid(i, 1)) != digests.at(found.integer(i, 0)) ? 1 : 0;
    }
    return strangers > 0 && strangers == found.rows();
}

void check_digests(const Result& settled, std::span<const ManifestedRow> rows) {
    if (const auto seq = first_stranger(settled, digests_of(rows))) {
        throw Contradiction(
            fmt::format("seq {} is another event than the one the manifest names: the database was restored"
                        " from a backup or failed over asynchronously and gave the number out again; stop the"
                        " relays and see what `outbox-relay reconcile` says",
                        *seq));
    }
}

} // namespace

ShardStore::ShardStore(postgres::Connection& connection, int shard, std::vector<int> buckets,
                       milliseconds timeout)
    : connection_(connection),
      shard_(shard),
      buckets_(std::move(buckets)),
      buckets_in_order_(buckets_),
      bucket_array_(numbers(buckets_)),
      timeout_(timeout) {}

std::optional<Acquired> ShardStore::acquire(const Uuid& relay, const Identity& identity) {
    forget_skipped();
    Transaction transaction(connection_, Deadline::in(timeout_), exclusive_lock(shard_));
    const Result taken =
        transaction.run(take_shard, {shard_, relay, identity.shard_count, identity.outbox_id});
    transaction.commit();
    if (taken.empty()) {
        return std::nullopt;
    }
    return Acquired{{shard_, relay, taken.integer(0, 0)}, {taken.integer(0, 1), taken.integer(0, 2)}};
}

void ShardStore::release(const Ownership& ownership) {
    connection_.run(release_shard, owner_params(ownership), Deadline::in(timeout_));
}

bool ShardStore::owns(const Ownership& ownership) {
    return !connection_.run(owns_shard, owner_params(ownership), Deadline::in(timeout_)).empty();
}

Ownership ShardStore::raise_epoch(const Ownership& ownership) {
    Transaction transaction(connection_, Deadline::in(timeout_), exclusive_lock(shard_));
    const Result raised = transaction.run(raise_shard, owner_params(ownership));
    if (raised.empty()) {
        throw NotOwner(fmt::format("shard {} was taken over", shard_));
    }
    transaction.commit();
    return {ownership.shard, ownership.relay, raised.integer(0, 0)};
}

void ShardStore::note_stopped(const Ownership& ownership, const std::string& reason) {
    Params params = owner_params(ownership);
    params.emplace_back(reason);
    connection_.run(stop_shard, params, Deadline::in(timeout_));
}

std::optional<std::string> ShardStore::stopped(const Ownership& ownership) {
    const Result found = connection_.run(why_stopped, owner_params(ownership), Deadline::in(timeout_));
    if (found.empty()) {
        throw NotOwner(fmt::format("shard {} was taken over", shard_));
    }
    return found.maybe_text(0, 0);
}

std::map<std::int64_t, Uuid> ShardStore::ids_of(std::span<const ManifestedRow> rows) {
    std::map<std::int64_t, Uuid> ids;
    for (const Result& found :
         find_unsettled(connection_, bucket_array_, rows, Deadline::in(timeout_ * 10))) {
        for (int i = 0; i < found.rows(); ++i) {
            ids.emplace(found.integer(i, 0), found.uuid(i, 1));
        }
    }
    return ids;
}

Settled ShardStore::settle(const Ownership& ownership, std::span<const ManifestedRow> rows,
                           std::span<const GoneRows> gone, const MarkedUpTo& newest, bool block_failed_keys) {
    // A takeover may meet a long queue of rows: longer than the ordinary statements' patience.
    Transaction transaction(connection_, Deadline::in(timeout_ * 10),
                            exclusive_lock(shard_) + fmt::format("; SET LOCAL statement_timeout = {}; "
                                                                 "SET LOCAL synchronous_commit = on",
                                                                 (timeout_ * 10).count()));
    if (transaction.run(owns_shard, owner_params(ownership)).empty()) {
        throw NotOwner(fmt::format("shard {} was taken over during recovery", shard_));
    }
    Settled settled;
    std::vector<ManifestedRow> all(rows.begin(), rows.end());
    for (const GoneRows& each : gone) {
        all.insert(all.end(), each.rows.begin(), each.rows.end());
    }
    const auto digests = digests_of(all);
    const auto unsent = find_unsettled(connection_, bucket_array_, all, Deadline::in(timeout_ * 10));
    const bool stranger = std::any_of(unsent.begin(), unsent.end(), [&](const Result& found) {
        return first_stranger(found, digests).has_value();
    });
    settled.emptied = stranger && was_emptied(transaction, bucket_array_, all);
    const auto become = [&](std::span<const ManifestedRow> named, const char* state, const std::string& why,
                            int attempts) {
        if (settled.emptied || named.empty()) {
            return;
        }
        const std::string seqs = seqs_of(named);
        const Result ready = transaction.run(settle_ready, {buckets_of(named), seqs, state, why, attempts});
        const Result waiting = transaction.run(settle_waiting, {bucket_array_, seqs, state, why, attempts});
        check_digests(ready, named);
        check_digests(waiting, named);
        for (const Result& left : {transaction.run(find_unsettled_ready, {buckets_of(named), seqs}),
                                   transaction.run(find_unsettled_waiting, {bucket_array_, seqs})}) {
            if (!left.empty()) {
                throw_without_effect(left.uuid(0, 0), connection_, timeout_);
            }
        }
        settled.sent += ready.affected() + waiting.affected();
        if (block_failed_keys && state == std::string_view("FAILED")) {
            transaction.run(block_failed, {bucket_array_, seqs});
        }
    };
    for (const char* state : {"SENT", "FAILED", "SKIPPED"}) {
        std::vector<ManifestedRow> named;
        std::copy_if(rows.begin(), rows.end(), std::back_inserter(named),
                     [state](const ManifestedRow& row) { return row.state == state; });
        // What a dead letter's attempt failed for, the manifest does not repeat.
        become(named, state, "its headers in the dead-letter topic say why", state[0] == 'F' ? 1 : 0);
    }
    for (const GoneRows& each : gone) {
        become(each.rows, "FAILED", each.why, 0);
    }
    if (!all.empty()) {
        const auto largest = std::max_element(all.begin(), all.end(),
                                              [](const auto& a, const auto& b) { return a.seq < b.seq; });
        settled.seq_moved = move_identity(connection_, largest->seq, Deadline::in(timeout_ * 10));
    }
    transaction.run(hasten_retries, {bucket_array_});
    if (faults::cure("blocked-keys")) {
        transaction.run(block_waiting_keys, {bucket_array_});
    } else {
        transaction.query("DELETE FROM outbox_blocked_keys");
    }
    if (faults::cure("row-set")) {
        settled.reset = transaction.run(reset_ready, {bucket_array_, shard_}).affected() +
                        transaction.run(reset_waiting, {bucket_array_}).affected();
    }
    transaction.run(move_mark, {shard_, newest.batch, newest.offset});
    transaction.commit();
    return settled;
}

/// Nothing is above the floor of a bucket that is left out.
std::vector<std::int64_t> ShardStore::floors_of(std::span<const int> buckets) const {
    auto floors = floors_.of(buckets);
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        if (left_out_.contains(buckets[i])) {
            floors[i] = std::numeric_limits<std::int64_t>::max();
        }
    }
    return floors;
}

std::string ShardStore::due_buckets() const {
    std::vector<int> buckets;
    std::copy_if(buckets_in_order_.begin(), buckets_in_order_.end(), std::back_inserter(buckets),
                 [this](int bucket) { return !left_out_.contains(bucket); });
    return numbers(buckets);
}

Peek ShardStore::peek(std::span<const std::string> parked_topics) {
    floors_.leave_out(parked_topics);
    const Result found =
        connection_.run(look, {bucket_array_, texts(parked_topics), numbers(floors_of(buckets_in_order_))},
                        Deadline::in(timeout_));
    Peek peek;
    peek.work = found.boolean(0, 0);
    if (!found.is_null(0, 1)) {
        peek.next_attempt = milliseconds(std::max<std::int64_t>(0, found.integer(0, 1)));
    }
    peek.blocked = found.boolean(0, 2);
    return peek;
}

bool ShardStore::try_sleep() {
    const Result locks = connection_.run(lock_doorbell, {bucket_array_}, Deadline::in(timeout_));
    std::vector<std::int64_t> held;
    for (int i = 0; i < locks.rows(); ++i) {
        if (locks.boolean(i, 1)) {
            held.push_back(locks.integer(i, 0));
        }
    }
    asleep_ = held.size() == buckets_.size();
    if (!asleep_ && !held.empty()) {
        connection_.run(unlock_doorbell, {numbers(held)}, Deadline::in(timeout_));
    }
    return asleep_;
}

void ShardStore::wake() {
    if (std::exchange(asleep_, false)) {
        connection_.run(unlock_doorbell, {bucket_array_}, Deadline::in(timeout_));
    }
}

} // namespace outbox::store
