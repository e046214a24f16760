#include "audit.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/user.hpp>

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

constexpr Statement count_shards{"outbox_count_shards", "SELECT coalesce(shard_count, 0) FROM outbox_meta"};

/// Relays look at the pauses with their next heartbeat; this makes them look now.
constexpr Statement tell_relays{"outbox_tell_relays", "SELECT pg_notify('outbox_doorbell', 'members')"};

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

/// One statement about outbox_pauses, its row of the audit, and word to the relays. @return whether it
/// changed anything
bool change(Transaction& transaction, const char* verb, const Statement& statement,
            const postgres::Params& params, const Target& target, const Motive& motive) {
    const auto changed = transaction.run(statement, params).affected();
    AuditEntry(transaction, verb, text_of(target), motive).add(transaction, changed);
    transaction.run(tell_relays, {});
    return changed > 0;
}

} // namespace

Outcome pause(postgres::Connection& connection, const Target& target, const Motive& motive) {
    Transaction transaction(connection, Deadline::in(milliseconds(10'000)));
    if (target.scope == Target::Scope::shard) {
        const auto shards = transaction.run(count_shards, {}).integer(0, 0);
        if (std::stoll(target.name) >= shards) {
            return {{}, fmt::format("there is no shard {}: this outbox has {}", target.name, shards)};
        }
    }
    const bool changed = change(transaction, "pause", write_pause,
                                {scope_of(target), target.name, user_and_host(), motive.why}, target, motive);
    transaction.commit();
    return {fmt::format("{} is paused{}", text_of(target), changed ? "" : " already: nothing to do"), {}};
}

Outcome resume(postgres::Connection& connection, const Target& target, const Motive& motive) {
    Transaction transaction(connection, Deadline::in(milliseconds(10'000)));
    const bool changed =
        change(transaction, "resume", end_pause, {scope_of(target), target.name}, target, motive);
    const auto others = transaction.run(find_others, {}).maybe_text(0, 0);
    transaction.commit();
    return {fmt::format("{} is {}{}", text_of(target), changed ? "resumed" : "not paused: nothing to do",
                        others ? "; still paused: " + *others : ""),
            {}};
}

} // namespace outbox::verbs
