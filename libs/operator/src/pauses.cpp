#include "audit.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/user.hpp>
#include <outbox/store/sql.hpp>

#include <fmt/format.h>

namespace outbox::verbs {
namespace {

using postgres::Statement;
using postgres::Transaction;

constexpr Statement write_pause{"outbox_write_pause",
                                "INSERT INTO outbox_pauses (scope, name, who, why)"
                                " VALUES ($1, $2, $3 || ' as ' || session_user, $4) ON CONFLICT DO NOTHING"};

constexpr Statement end_pause{"outbox_end_pause", "DELETE FROM outbox_pauses WHERE scope = $1 AND name = $2"};

constexpr Statement find_others{"outbox_other_pauses", "SELECT string_agg(concat_ws(' ', scope, nullif(name, "
                                                       "'')), ', ' ORDER BY scope, name) FROM outbox_pauses"};

/// Their relays look for it, and begin anew.
constexpr Statement try_stopped{"outbox_try_stopped",
                                "UPDATE outbox_shards SET stopped = NULL"
                                " WHERE stopped IS NOT NULL AND shard::text = coalesce($1, shard::text)"
                                " RETURNING shard"};

constexpr Statement count_shards{"outbox_count_shards", "SELECT coalesce(shard_count, 0) FROM outbox_meta"};

// Pauses compare with the topics that rows name.
constexpr Statement knows_topic{
    "outbox_knows_topic",
    "SELECT EXISTS (SELECT 1 FROM outbox_topics WHERE topic = $1) OR EXISTS (SELECT 1 FROM outbox_events AS o"
    " WHERE " OUTBOX_READY " AND o.topic = $1) OR EXISTS (SELECT 1 FROM outbox_events AS o"
    " WHERE " OUTBOX_WAITING " AND o.topic = $1)"};

/// Relays look at the pauses with their next heartbeat; this makes them look now.
constexpr Statement tell_relays{"outbox_tell_relays", OUTBOX_RING("'members'")};

const char* scope_of(const Target& target) {
    switch (target.scope) {
    case Target::Scope::topic:
        return "topic";
    case Target::Scope::shard:
        return "shard";
    case Target::Scope::all:
        break;
    }
    return "all";
}

std::string text_of(const Target& target) {
    return target.scope == Target::Scope::all ? "all" : fmt::format("{} {}", scope_of(target), target.name);
}

/// Shards that were stopped are tried again. @return what was done, nothing where none was
std::string try_again(Transaction& transaction, const Target& target) {
    if (target.scope == Target::Scope::topic) {
        return {};
    }
    const auto shard = target.scope == Target::Scope::shard ? std::optional(target.name) : std::nullopt;
    const auto tried = transaction.run(try_stopped, {shard});
    std::string shards;
    for (int i = 0; i < tried.rows(); ++i) {
        shards += (i > 0 ? ", " : "") + std::to_string(tried.integer(i, 0));
    }
    return shards.empty() ? shards : fmt::format("tried again: shard {}, which was stopped", shards);
}

/// One statement about outbox_pauses, its row of the audit, and word to the relays. @return whether it
/// changed anything
bool change(Transaction& transaction, const char* verb, const Statement& statement,
            const postgres::Params& params, const Target& target, const Motive& motive) {
    const auto changed = transaction.run(statement, params).affected();
    AuditEntry(transaction, verb, text_of(target), motive).add(transaction, changed);
    transaction.run(tell_relays, {});
    return changed > 0;
}

bool knows(Transaction& transaction, const std::string& topic) {
    return transaction.run(knows_topic, {topic}).boolean(0, 0);
}

/// @return why there is no such shard
std::optional<std::string> no_such_shard(Transaction& transaction, const Target& target) {
    if (target.scope != Target::Scope::shard) {
        return std::nullopt;
    }
    const auto shards = transaction.run(count_shards, {}).integer(0, 0);
    return std::stoll(target.name) < shards
               ? std::nullopt
               : std::optional(fmt::format("there is no shard {}: this outbox has {}", target.name, shards));
}

/// @return why nothing of that name could have been paused
std::optional<std::string> no_such_target(Transaction& transaction, const Target& target) {
    if (target.scope == Target::Scope::topic && !knows(transaction, target.name)) {
        return fmt::format("topic {} is not paused, no event was ever sent there and none waits for it: is "
                           "that its name?",
                           target.name);
    }
    return no_such_shard(transaction, target);
}

} // namespace

Outcome pause(postgres::Connection& connection, const Target& target, const Motive& motive) {
    Transaction transaction(connection, Deadline::in(milliseconds(10'000)),
                            "BEGIN; SET LOCAL enable_seqscan = off");
    if (auto why = no_such_shard(transaction, target)) {
        return {{}, std::move(why)};
    }
    const bool known = target.scope != Target::Scope::topic || knows(transaction, target.name);
    const bool changed = change(transaction, "pause", write_pause,
                                {scope_of(target), target.name, user_and_host(), motive.why}, target, motive);
    transaction.commit();
    return {
        fmt::format("{} is paused{}{}", text_of(target), changed ? "" : " already: nothing to do",
                    known ? "" : "; no event was ever sent there and none waits for it: is that its name?"),
        {}};
}

Outcome resume(postgres::Connection& connection, const Target& target, const Motive& motive) {
    Transaction transaction(connection, Deadline::in(milliseconds(10'000)),
                            "BEGIN; SET LOCAL enable_seqscan = off");
    const std::string tried = try_again(transaction, target);
    const bool changed =
        change(transaction, "resume", end_pause, {scope_of(target), target.name}, target, motive);
    const auto others = transaction.run(find_others, {}).maybe_text(0, 0);
    if (auto why = changed || !tried.empty() ? std::nullopt : no_such_target(transaction, target)) {
        return {{}, fmt::format("{}; {}", *why, others ? "paused: " + *others : "nothing is paused")};
    }
    transaction.commit();
    const std::string resumed =
        fmt::format("{} is {}", text_of(target), changed ? "resumed" : "not paused: nothing to do");
    return {fmt::format("{}{}",
                        tried.empty() ? resumed
                        : changed     ? resumed + "; " + tried
                                      : tried,
                        others ? "; still paused: " + *others : ""),
            {}};
}

} // namespace outbox::verbs
