// pause and resume. A pause is a row that relays read with their heartbeat, so it outlives every
// restart. Whether a name means anything is said, because a typing error would pause nothing and look
// like success.

#include "audit.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/user.hpp>
#include <outbox/store/sql/pauses.hpp>

#include <fmt/format.h>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;
using postgres::Statement;
using postgres::Transaction;

/// The scope as outbox_pauses has it.
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

/// The target for people: "all", "topic orders", "shard 3".
std::string text_of(const Target& target) {
    return target.scope == Target::Scope::all ? "all" : fmt::format("{} {}", scope_of(target), target.name);
}

/// Shards that were stopped are tried again. @return what was done, nothing where none was
std::string try_again(Transaction& transaction, const Target& target) {
    if (target.scope == Target::Scope::topic) {
        return {};
    }
    const auto shard = target.scope == Target::Scope::shard ? std::optional(target.name) : std::nullopt;
    const auto tried = transaction.run(sql::try_stopped, {shard});
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
    transaction.run(sql::tell_relays, {});
    return changed > 0;
}

/// Whether events were sent to the topic, wait for it, or it is paused.
bool knows(Transaction& transaction, const std::string& topic) {
    return transaction.run(sql::knows_topic, {topic}).boolean(0, 0);
}

/// @return why there is no such shard
std::optional<std::string> no_such_shard(Transaction& transaction, const Target& target) {
    if (target.scope != Target::Scope::shard) {
        return std::nullopt;
    }
    const auto shards = transaction.run(sql::count_shards, {}).integer(0, 0);
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
    const bool changed = change(transaction, "pause", sql::write_pause,
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
        change(transaction, "resume", sql::end_pause, {scope_of(target), target.name}, target, motive);
    const auto others = transaction.run(sql::other_pauses, {}).maybe_text(0, 0);
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
