// The register of relays: who lives, who owns what, what operators have paused. A relay is alive while
// its lease runs and its session stands, which is seen by an advisory lock; when either is over its
// shards may be taken. A heartbeat is one statement, which also brings everything that a node has to
// know about the others, so an idle relay costs next to nothing.

#include "outbox/store/relays.hpp"

#include "outbox/store/schema.hpp"
#include "outbox/store/texts.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/text.hpp>
#include <outbox/store/sql/relays.hpp>

#include <algorithm>

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Transaction;

constexpr std::size_t longest_reason = 2'000;

/// `status` shows no more.
constexpr std::size_t most_outages = 1'000;

/// @throws Error(stop) when the database says another name or cluster than this relay was given
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
    const Result found = connection.run(sql::read_beginner, {}, Deadline::in(timeout));
    if (found.empty()) {
        return std::nullopt;
    }
    return Beginner{found.uuid(0, 0), found.boolean(0, 1), found.boolean(0, 2), found.text(0, 3)};
}

/// Durable before anything is written to Kafka under the new id.
Uuid renew_copied_id(postgres::Connection& connection, milliseconds timeout) {
    Transaction transaction(connection, Deadline::in(timeout), "BEGIN; SET LOCAL synchronous_commit = on");
    transaction.run(sql::renew_id, {});
    const Uuid id = transaction.run(sql::read_meta, {}).uuid(0, 0);
    transaction.commit();
    return id;
}

/// Reads what is set, and sets what is not: the first relay decides the name, the cluster and the number
/// of shards, and all later ones must agree with it.
Identity establish_identity(postgres::Connection& connection, const Identity& first, milliseconds timeout) {
    Transaction transaction(connection, Deadline::in(timeout));
    const Result meta = transaction.run(sql::read_meta, {});
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
        transaction.run(sql::write_meta, {identity.name, identity.cluster_id, identity.shard_count});
    }
    if (meta.is_null(0, 3)) {
        transaction.run(sql::make_shards, {identity.shard_count});
    } else {
        transaction.run(sql::remake_shards, {});
    }
    transaction.commit();
    return identity;
}

void Relays::join(const Uuid& relay, const std::string& name, milliseconds lease) {
    const Result joined =
        connection_.run(sql::join, {relay, name, lease.count(), identity_.outbox_id, schema_version()},
                        Deadline::in(timeout_));
    if (joined.empty()) {
        if (connection_.run(sql::find_meta, {}, Deadline::in(timeout_)).empty()) {
            throw Error(Action::reconnect, deleted_outbox(&identity_));
        }
        throw Error(Action::stop, "this database's outbox has got another id since this relay started, by "
                                  "`outbox-relay adopt`: start it again, with the name and the cluster that "
                                  "the outbox belongs to now");
    }
    lock_key_ = joined.integer(0, 0);
    // The lock may still belong to an earlier session of this relay that a broken network keeps
    // open at the server.
    try_to_hold();
    const auto channel = connection_.run(sql::channel, {}, Deadline::in(timeout_)).text(0, 0);
    connection_.script("LISTEN " + postgres::quoted(channel), Deadline::in(timeout_));
    announce();
}

void Relays::try_to_hold() {
    holds_ = connection_.run(sql::hold_relay, {lock_key_}, Deadline::in(timeout_)).boolean(0, 0);
}

/// One statement does all: it renews the heartbeat, writes down what hinders shards, and returns relays,
/// shards and pauses of the same moment.
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
        sql::beat,
        {relay, identity_.outbox_id, numbers(shards), numbers(lasts), texts(reasons), numbers(slow)},
        Deadline::in(timeout_));
    Membership membership;
    bool registered = false;
    // Rows are of three kinds, told apart by which columns are NULL: a paused topic, a relay, a
    // shard.
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
    const Result made = connection_.run(sql::remake_shards, {}, Deadline::in(timeout_));
    std::vector<int> shards;
    for (int i = 0; i < made.rows(); ++i) {
        shards.push_back(static_cast<int>(made.integer(i, 0)));
    }
    return shards;
}

void Relays::leave(const Uuid& relay) {
    connection_.run(sql::leave, {relay}, Deadline::in(timeout_));
    announce();
}

void Relays::forget_dead() {
    connection_.run(sql::forget, {}, Deadline::in(timeout_));
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
    connection_.run(sql::note_outages,
                    {relay, texts(topics), numbers(lasts), numbers(codes), texts(reasons), numbers(given_up)},
                    Deadline::in(timeout_));
}

/// Planned for indexes: where few events are unsent the look is quick, and where it is not the answer is
/// yes.
bool Relays::events_wait_for(std::span<const std::string> row_topics) {
    try {
        Transaction look(
            connection_, Deadline::in(timeout_),
            "BEGIN READ ONLY; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
        return look.run(sql::find_unsent, {texts(row_topics)}).boolean(0, 0);
    } catch (const postgres::DatabaseError& error) {
        if (error.sqlstate() != "57014") { // so many events wait that the look was cancelled
            throw;
        }
        return true;
    }
}

void Relays::announce() {
    connection_.run(sql::tell_members, {}, Deadline::in(timeout_));
}

} // namespace outbox::store
