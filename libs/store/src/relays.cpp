#include "outbox/store/relays.hpp"

#include "outbox/store/schema.hpp"
#include "outbox/store/sql.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/text.hpp>

#include <algorithm>

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Statement;
using postgres::Transaction;

constexpr Statement read_meta{"outbox_read_meta",
                              "SELECT outbox_id, name, cluster_id, shard_count FROM outbox_meta FOR UPDATE"};

#define OUTBOX_ORIGIN                                                                                        \
    "(SELECT s.system_identifier::text FROM pg_control_system() AS s) || '/' ||"                             \
    " (SELECT d.oid::text FROM pg_database AS d WHERE d.datname = current_database())"

constexpr Statement read_beginner{
    "outbox_read_beginner",
    "SELECT m.outbox_id, m.name IS NOT NULL, coalesce(m.origin = " OUTBOX_ORIGIN
    ", false), format('database %s, schema %s, on %s:%s', current_database(), current_schema(),"
    " coalesce(host(inet_server_addr()), 'a local socket'), current_setting('port'))"
    " FROM outbox_meta AS m WHERE NOT EXISTS (SELECT FROM outbox_shards AS s WHERE s.marked_batch > 0)"};

constexpr Statement renew_id{"outbox_renew_id",
                             "UPDATE outbox_meta SET outbox_id = gen_random_uuid(), origin = " OUTBOX_ORIGIN
                             " WHERE name IS NULL AND origin IS DISTINCT FROM " OUTBOX_ORIGIN};

constexpr Statement write_meta{"outbox_write_meta",
                               "UPDATE outbox_meta SET name = $1, cluster_id = $2, shard_count = $3"};

constexpr Statement make_shards{"outbox_make_shards",
                                "INSERT INTO outbox_shards (shard) SELECT generate_series(0, $1::integer - 1)"
                                " ON CONFLICT DO NOTHING"};

/// Of shards that were there before. Their manifests carry an epoch and events that only Kafka knows now: the
/// new epoch is above every one that was counted up to, and all numbers up to the newest count as claimed.
constexpr Statement remake_shards{
    "outbox_remake_shards",
    "INSERT INTO outbox_shards (shard, epoch, claimed_seq)"
    " SELECT g.shard, extract(epoch FROM clock_timestamp())::bigint, greatest("
    "(SELECT max(newest.seq) FROM generate_series(0, 63) AS b(bucket) CROSS JOIN LATERAL"
    " (SELECT o.seq FROM outbox_events AS o WHERE o.bucket = b.bucket AND " OUTBOX_READY
    " ORDER BY o.seq DESC LIMIT 1) AS newest), (SELECT max(claimed_seq) FROM outbox_shards), 0)"
    " FROM (SELECT shard_count FROM outbox_meta FOR SHARE) AS m,"
    " generate_series(0, m.shard_count - 1) AS g(shard)"
    " WHERE NOT EXISTS (SELECT FROM outbox_shards AS s WHERE s.shard = g.shard)"
    " ON CONFLICT DO NOTHING RETURNING shard"};

constexpr Statement find_meta{"outbox_find_meta", "SELECT FROM outbox_meta"};

constexpr Statement join_relays{
    "outbox_join",
    "INSERT INTO outbox_relays (relay, name, lease, made_for)"
    " SELECT $1, $2, $3::bigint * interval '1 millisecond', $5::integer FROM outbox_meta WHERE outbox_id = $4"
    " ON CONFLICT (relay) DO UPDATE SET heartbeat_at = clock_timestamp() RETURNING lock_key"};

constexpr Statement hold_lock{"outbox_hold_relay",
                              "SELECT pg_try_advisory_lock(" OUTBOX_RELAY_LOCK("$1::integer") ")"};

constexpr Statement read_channel{"outbox_channel", "SELECT " OUTBOX_CHANNEL};

constexpr Statement tell_members{"outbox_tell_members", OUTBOX_RING("'members'")};

constexpr Statement beat_relay{
    "outbox_beat",
    "WITH beat AS (UPDATE outbox_relays SET heartbeat_at = clock_timestamp(), hindered = (SELECT"
    " jsonb_agg(jsonb_build_object('shard', h.shard, 'why', h.why, 'slow', h.slow = 1, 'since',"
    " clock_timestamp() - h.lasts * interval '1 millisecond'))"
    " FROM unnest($3::integer[], $4::bigint[], $5::text[], $6::integer[]) AS h(shard, lasts, why, slow))"
    " WHERE relay = $1 "
    "AND EXISTS (SELECT FROM outbox_meta WHERE outbox_id = $2) RETURNING relay)"
    " SELECT NULL::integer AS shard, r.relay AS relay, true AS alive,"
    " (SELECT shard_count FROM outbox_meta)::bigint AS since, false AS paused,"
    " NULL AS topic FROM outbox_relays AS r"
    " WHERE r.relay IN (SELECT relay FROM beat) OR (r.relay <> $1 AND " OUTBOX_RELAY_ALIVE ")"
    " UNION ALL SELECT s.shard, s.owner, s.owner IS NOT NULL AND (s.owner = $1 OR EXISTS"
    " (SELECT 1 FROM outbox_relays AS r WHERE r.relay = s.owner AND " OUTBOX_RELAY_ALIVE ")),"
    " (extract(epoch FROM s.owned_since) * 1000000)::bigint, " OUTBOX_SHARD_PAUSED ", NULL"
    " FROM outbox_shards AS s, outbox_meta AS m WHERE s.shard < m.shard_count"
    " UNION ALL SELECT NULL, NULL, false, NULL, true, p.name FROM outbox_pauses AS p WHERE p.scope = "
    "'topic'"};

constexpr std::size_t longest_reason = 2'000;

constexpr Statement leave_relays{"outbox_leave", "DELETE FROM outbox_relays WHERE relay = $1"};

constexpr Statement forget_relays{
    "outbox_forget", "DELETE FROM outbox_relays AS r WHERE r.heartbeat_at < clock_timestamp() - "
                     "greatest(r.lease, interval '1 minute')"
                     " AND NOT EXISTS (SELECT 1 FROM outbox_shards AS s WHERE s.owner = r.relay)"};

constexpr Statement write_outages{
    "outbox_note_outages",
    "WITH over AS (DELETE FROM outbox_topic_outages WHERE relay = $1 AND topic <> ALL ($2::text[]))"
    " INSERT INTO outbox_topic_outages AS o (relay, topic, since, code, reason, given_up)"
    " SELECT $1, m.topic, clock_timestamp() - m.lasts * interval '1 millisecond', m.code, m.reason, "
    "m.given_up"
    " FROM unnest($2::text[], $3::bigint[], $4::integer[], $5::text[], $6::boolean[])"
    " AS m(topic, lasts, code, reason, given_up)"
    " WHERE EXISTS (SELECT 1 FROM outbox_relays AS r WHERE r.relay = $1)"
    " ON CONFLICT (relay, topic) DO UPDATE SET since = excluded.since, code = excluded.code,"
    " reason = excluded.reason, given_up = excluded.given_up"};

constexpr Statement find_unsent{
    "outbox_find_unsent",
    "SELECT EXISTS (SELECT 1 FROM generate_series(0, 63) AS b(bucket) CROSS JOIN LATERAL"
    " (SELECT 1 FROM outbox_events AS o WHERE o.bucket = b.bucket AND " OUTBOX_WAITING
    " AND o.topic = ANY ($1::text[]) LIMIT 1) AS found)"
    " OR EXISTS (SELECT 1 FROM generate_series(0, 63) AS b(bucket) CROSS JOIN LATERAL"
    " (SELECT 1 FROM outbox_events AS o WHERE o.bucket = b.bucket AND " OUTBOX_READY
    " AND o.topic = ANY ($1::text[]) LIMIT 1) AS found)"};

/// `status` shows no more.
constexpr std::size_t most_outages = 1'000;

void check_same(const char* what, const std::string& stored, const std::string& given, const char* advice) {
    if (stored != given) {
        throw Error(Action::stop, fmt::format("this database's outbox belongs to {} '{}', not '{}': {}", what,
                                              stored, given, advice));
    }
}

/// @param known  by a relay that has run since before
std::string deleted_outbox(const Identity* known) {
    return fmt::format("outbox_meta is empty: somebody deleted its row, which says who this outbox is; type "
                       "INSERT INTO outbox_meta"
                       " (outbox_id, name, cluster_id, shard_count) VALUES ({}){}",
                       known != nullptr ? fmt::format("'{}', '{}', '{}', {}", known->outbox_id.to_string(),
                                                      known->name, known->cluster_id, known->shard_count)
                                        : "outbox, name, cluster, shards",
                       known != nullptr ? "" : ", as a relay's log has them in its line 'relay starts'");
}

} // namespace

std::optional<Beginner> find_beginner(postgres::Connection& connection, milliseconds timeout) {
    const Result found = connection.run(read_beginner, {}, Deadline::in(timeout));
    if (found.empty()) {
        return std::nullopt;
    }
    return Beginner{found.uuid(0, 0), found.boolean(0, 1), found.boolean(0, 2), found.text(0, 3)};
}

Uuid renew_copied_id(postgres::Connection& connection, milliseconds timeout) {
    Transaction transaction(connection, Deadline::in(timeout), "BEGIN; SET LOCAL synchronous_commit = on");
    transaction.run(renew_id, {});
    const Uuid id = transaction.run(read_meta, {}).uuid(0, 0);
    transaction.commit();
    return id;
}

Identity establish_identity(postgres::Connection& connection, const Identity& first, milliseconds timeout) {
    Transaction transaction(connection, Deadline::in(timeout));
    const Result meta = transaction.run(read_meta, {});
    if (meta.empty()) {
        throw Error(Action::reconnect, deleted_outbox(nullptr));
    }
    Identity identity = first;
    identity.outbox_id = meta.uuid(0, 0);
    if (!meta.is_null(0, 1)) {
        check_same("the name", meta.text(0, 1), first.name,
                   "set OUTBOX_NAME to the first; a copy that lives beside it needs `outbox-relay adopt`");
    }
    if (!meta.is_null(0, 2)) {
        check_same("the Kafka cluster", meta.text(0, 2), first.cluster_id,
                   "check KAFKA_BROKERS; what was sent is known only to the first cluster. Where the outbox"
                   " is to belong to this one from now on: `outbox-relay adopt`");
    }
    if (!meta.is_null(0, 3)) {
        identity.shard_count = static_cast<int>(meta.integer(0, 3));
    }
    if (meta.is_null(0, 1) || meta.is_null(0, 2) || meta.is_null(0, 3)) {
        transaction.run(write_meta, {identity.name, identity.cluster_id, identity.shard_count});
    }
    if (meta.is_null(0, 3)) {
        transaction.run(make_shards, {identity.shard_count});
    } else {
        transaction.run(remake_shards, {});
    }
    transaction.commit();
    return identity;
}

void Relays::join(const Uuid& relay, const std::string& name, milliseconds lease) {
    const Result joined =
        connection_.run(join_relays, {relay, name, lease.count(), identity_.outbox_id, schema_version()},
                        Deadline::in(timeout_));
    if (joined.empty()) {
        if (connection_.run(find_meta, {}, Deadline::in(timeout_)).empty()) {
            throw Error(Action::reconnect, deleted_outbox(&identity_));
        }
        throw Error(Action::stop, "this database's outbox has got another id since this relay started, by "
                                  "`outbox-relay adopt`: start it again, with the name and the cluster that "
                                  "the outbox belongs to now");
    }
    lock_key_ = joined.integer(0, 0);
    try_to_hold();
    const auto channel = connection_.run(read_channel, {}, Deadline::in(timeout_)).text(0, 0);
    connection_.script("LISTEN " + postgres::quoted(channel), Deadline::in(timeout_));
    announce();
}

void Relays::try_to_hold() {
    holds_ = connection_.run(hold_lock, {lock_key_}, Deadline::in(timeout_)).boolean(0, 0);
}

std::optional<Membership> Relays::beat(const Uuid& relay, std::span<const HinderedShard> hindered) {
    if (!holds_) {
        try_to_hold();
        if (holds_) {
            announce();
        }
    }
    std::vector<int> shards;
    std::vector<std::int64_t> lasts;
    std::vector<std::string> reasons;
    std::vector<int> slow;
    for (const HinderedShard& each : hindered) {
        shards.push_back(each.shard);
        lasts.push_back(each.lasts.count());
        slow.push_back(each.slow ? 1 : 0);
        reasons.push_back(storable(each.why.substr(0, longest_reason))); // libraries speak any encoding
    }
    const Result seen = connection_.run(
        beat_relay,
        {relay, identity_.outbox_id, numbers(shards), numbers(lasts), texts(reasons), numbers(slow)},
        Deadline::in(timeout_));
    Membership membership;
    bool registered = false;
    for (int i = 0; i < seen.rows(); ++i) {
        if (!seen.is_null(i, 5)) {
            membership.pauses.topics.insert(seen.text(i, 5));
            continue;
        }
        if (seen.is_null(i, 0)) {
            membership.alive.push_back(seen.uuid(i, 1));
            registered = registered || membership.alive.back() == relay;
            membership.shard_count =
                seen.is_null(i, 3) ? identity_.shard_count : static_cast<int>(seen.integer(i, 3));
            continue;
        }
        ShardView view;
        view.shard = static_cast<int>(seen.integer(i, 0));
        view.owner_alive = seen.boolean(i, 2);
        if (!seen.is_null(i, 1)) {
            view.owner = seen.uuid(i, 1);
        }
        if (!seen.is_null(i, 3)) {
            view.owned_since_us = seen.integer(i, 3);
        }
        if (seen.boolean(i, 4)) {
            membership.pauses.shards.insert(view.shard);
        }
        membership.shards.push_back(view);
    }
    return registered ? std::optional(std::move(membership)) : std::nullopt;
}

std::vector<int> Relays::make_missing_shards() {
    const Result made = connection_.run(remake_shards, {}, Deadline::in(timeout_));
    std::vector<int> shards;
    for (int i = 0; i < made.rows(); ++i) {
        shards.push_back(static_cast<int>(made.integer(i, 0)));
    }
    return shards;
}

void Relays::leave(const Uuid& relay) {
    connection_.run(leave_relays, {relay}, Deadline::in(timeout_));
    announce();
}

void Relays::forget_dead() {
    connection_.run(forget_relays, {}, Deadline::in(timeout_));
}

void Relays::note_outages(const Uuid& relay, std::span<const TopicOutage> outages) {
    const auto some = outages.first(std::min(outages.size(), most_outages));
    std::vector<std::string> topics;
    std::vector<std::int64_t> lasts;
    std::vector<int> codes;
    std::vector<std::string> reasons;
    std::vector<const char*> given_up;
    for (const TopicOutage& outage : some) {
        topics.push_back(outage.topic);
        lasts.push_back(outage.lasts.count());
        codes.push_back(outage.code);
        reasons.push_back(outage.reason);
        given_up.push_back(outage.given_up ? "t" : "f");
    }
    connection_.run(write_outages,
                    {relay, texts(topics), numbers(lasts), numbers(codes), texts(reasons), numbers(given_up)},
                    Deadline::in(timeout_));
}

bool Relays::events_wait_for(std::span<const std::string> row_topics) {
    try {
        Transaction look(
            connection_, Deadline::in(timeout_),
            "BEGIN READ ONLY; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
        return look.run(find_unsent, {texts(row_topics)}).boolean(0, 0);
    } catch (const postgres::DatabaseError& error) {
        if (error.sqlstate() != "57014") { // so many events wait that the look was cancelled
            throw;
        }
        return true;
    }
}

void Relays::announce() {
    connection_.run(tell_members, {}, Deadline::in(timeout_));
}

} // namespace outbox::store
