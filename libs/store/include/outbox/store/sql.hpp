#pragma once

#include <outbox/store/row.hpp>

#include <fmt/format.h>

#include <iterator>
#include <string>

namespace outbox::store {

// Names that belong to this outbox alone, of the several that one database may hold: the schema that it
// stands in is part of them. migrations/outbox/0011_own_names.up.sql has the same for the doorbell.
#define OUTBOX_SCHEMA_ID "(SELECT quote_ident(current_schema())::regnamespace::oid::integer)"

// Both keys of an advisory lock: the schema, and a number of up to 28 bits in one of these kinds.
#define OUTBOX_LOCK(kind, number) OUTBOX_SCHEMA_ID ", (" kind " << 28) + (" number ")"
#define OUTBOX_DOORBELL_LOCK(bucket) OUTBOX_LOCK("1", bucket)
#define OUTBOX_SHARD_LOCK(shard) OUTBOX_LOCK("2", shard)
#define OUTBOX_RELAY_LOCK(lock_key) OUTBOX_LOCK("3", lock_key)    // outbox_relays.lock_key
#define OUTBOX_BACKFILL_LOCK(lock_key) OUTBOX_LOCK("4", lock_key) // outbox_backfills.lock_key
#define OUTBOX_REGISTRATION_LOCK(hash) OUTBOX_LOCK("5", hash) // of what a run of outbox-backfill is found by

/// Somebody holds the lock, in pg_locks AS l.
#define OUTBOX_HOLDS(kind, number)                                                                           \
    "l.locktype = 'advisory' AND l.classid = " OUTBOX_SCHEMA_ID "::oid AND l.objid = ((" kind                \
    " << 28) + " number ")::oid AND l.objsubid = 2 AND l.granted"                                            \
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"

// The doorbell's channel. Payload: a bucket's number, "members" (who is there, what is paused) or "topics"
// (what a topic was refused for is mended) or "again" (old events have become ready).
#define OUTBOX_CHANNEL "'outbox_doorbell_' || " OUTBOX_SCHEMA_ID

/// Rings, unless somebody else has filled half of the server's queue: whose queue is full cannot commit.
#define OUTBOX_RING(payload)                                                                                 \
    "SELECT pg_notify(" OUTBOX_CHANNEL ", " payload ") WHERE pg_notification_queue_usage() <= 0.5"

// Predicates of the indexes on unsent rows, for a table alias; must stay textually equal to the migrations'.
#define OUTBOX_UNSENT_OF(t) t ".unsent"
#define OUTBOX_READY_OF(t) OUTBOX_UNSENT_OF(t) " AND " t ".next_attempt_at IS NULL"
#define OUTBOX_WAITING_OF(t) OUTBOX_UNSENT_OF(t) " AND " t ".next_attempt_at IS NOT NULL"
#define OUTBOX_KEY_OF(t) "coalesce(" t ".partition_key, " t ".aggregate_id)"
#define OUTBOX_UNSENT OUTBOX_UNSENT_OF("o")
#define OUTBOX_READY OUTBOX_READY_OF("o")
#define OUTBOX_WAITING OUTBOX_WAITING_OF("o")

/// The same as `unsent`, for rows that are found by ctid or id: in other words than the partial indexes', or
/// the planner, when it thinks such an index small, walks all of it instead.
#define OUTBOX_STILL_UNSENT "coalesce(o.status, 'NEW') IN ('NEW', 'PROCESSING')"

/// Waits for a retry, as opposed to rows held aside until 'infinity'.
#define OUTBOX_RETRY OUTBOX_UNSENT " AND o.next_attempt_at < 'infinity'"

/// An older event of row o's key waits, and not only for its topic.
#define OUTBOX_FOLLOWS_WAITING(topics)                                                                       \
    "EXISTS (SELECT 1 FROM outbox_events AS w WHERE w.bucket = o.bucket"                                     \
    " AND " OUTBOX_KEY_OF("w") " = " OUTBOX_KEY_OF("o") " AND w.seq < o.seq AND " OUTBOX_WAITING_OF(         \
        "w") " AND w.topic <> ALL (" topics "::text[]))"

/// A writer may say 'infinity', and nothing is so old or so new: such a time counts as none.
#define OUTBOX_FINITE(t) "CASE WHEN isfinite(" t ") THEN " t " END"

/// A ready row that nobody has claimed.
#define OUTBOX_NEW OUTBOX_READY " AND coalesce(o.status, 'NEW') = 'NEW'"

/// An event of row o's key waits, so it must not be sent now.
#define OUTBOX_BLOCKED                                                                                       \
    "EXISTS (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = o.bucket AND k.key = " OUTBOX_KEY_OF(   \
        "o") ")"

/// The event that blocks key k is FAILED still: nothing of the key is sent until an operator has settled it.
#define OUTBOX_FAILED_BLOCKS                                                                                 \
    "EXISTS (SELECT 1 FROM outbox_events AS f WHERE f.bucket = k.bucket AND f.seq = k.failed_seq AND "       \
    "f.failed)"

/// Of rows (bucket, key, failed_seq).
#define OUTBOX_BLOCK_FAILED_KEYS                                                                             \
    " ON CONFLICT (bucket, key) DO UPDATE SET failed_seq = coalesce(excluded.failed_seq,"                    \
    " outbox_blocked_keys.failed_seq)"

/// Where a claimed row of a blocked key goes back to: later events of the key may be held already.
#define OUTBOX_BACK                                                                                          \
    "status = 'NEW', next_attempt_at = CASE WHEN " OUTBOX_BLOCKED " THEN 'infinity'::timestamptz END"

/// A relay is alive while its lease runs and its session stands. Right after a restart of the server, when
/// every session is new, the lease alone counts. A heartbeat from the future is from before the server's
/// clock was set back.
#define OUTBOX_RELAY_ALIVE                                                                                   \
    "(r.heartbeat_at BETWEEN clock_timestamp() - r.lease AND clock_timestamp() + r.lease"                    \
    " AND (pg_postmaster_start_time() > clock_timestamp() - interval '3 seconds'"                            \
    " OR EXISTS (SELECT 1 FROM pg_locks AS l WHERE " OUTBOX_HOLDS("3", "r.lock_key") ")))"

/// An operator has paused shard s, or everything, or is about to move the buckets to other shards.
#define OUTBOX_SHARD_PAUSED                                                                                  \
    "(EXISTS (SELECT 1 FROM outbox_pauses AS p WHERE p.scope = 'all'"                                        \
    " OR p.scope = 'shard' AND p.name = s.shard::text)"                                                      \
    " OR EXISTS (SELECT 1 FROM outbox_meta AS h WHERE h.reshard_until BETWEEN clock_timestamp()"             \
    " AND clock_timestamp() + interval '1 minute'))"

/// '{1,2,3}' from anything whose elements fmt can print through `print`.
template <class Range, class Print>
std::string array_of(const Range& range, Print print) {
    std::string text = "{";
    for (const auto& element : range) {
        if (text.size() > 1) {
            text += ',';
        }
        print(text, element);
    }
    text += '}';
    return text;
}

template <class Range>
std::string numbers(const Range& range) {
    return array_of(range, [](std::string& text, auto number) {
        fmt::format_to(std::back_inserter(text), "{}", number);
    });
}

inline void print_tid(std::string& text, const Tid& tid) {
    fmt::format_to(std::back_inserter(text), "\"({},{})\"", tid.block, tid.offset);
}

/// An array of text; quotes and backslashes are escaped.
template <class Range>
std::string texts(const Range& range) {
    return array_of(range, [](std::string& text, const auto& element) {
        text += '"';
        for (const char c : std::string_view(element)) {
            if (c == '"' || c == '\\') {
                text += '\\';
            }
            text += c;
        }
        text += '"';
    });
}

} // namespace outbox::store
