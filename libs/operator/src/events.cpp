// retry and skip: the two verbs that change events. Both work shard by shard under the shard's
// exclusive lock, so no relay claims or marks meanwhile, and a thousand events at a time, so none waits
// long. What may be at the broker is left alone unless the operator insists; what would break a key's
// order, too.
#include "audit.hpp"

#include <outbox/core/error.hpp>
#include <outbox/store/sql/events.hpp>
#include <outbox/store/sql/shard.hpp>
#include <outbox/store/texts.hpp>
#include <outbox/store/transitions.hpp>

#include <fmt/format.h>

#include <functional>
#include <map>
#include <set>
#include <span>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;
using postgres::Connection;
using postgres::Result;
using postgres::Transaction;

constexpr milliseconds short_answer{10'000};
constexpr milliseconds long_answer{600'000}; ///< a walk over all events, which holds no lock
constexpr std::size_t step = 1000; ///< events in one transaction, as long as the relay's shard waits

/// An event, and the bucket that says which shard it belongs to.
struct Event {
    Uuid id;
    int bucket = 0;
};
using Events = std::vector<Event>;

void append(Events& events, const Result& found) {
    for (int i = 0; i < found.rows(); ++i) {
        events.push_back({found.uuid(i, 0), static_cast<int>(found.integer(i, 1))});
    }
}

std::string ids_of(std::span<const Event> events) {
    return store::array_of(events,
                           [](std::string& text, const Event& event) { text += event.id.to_string(); });
}

/// The selection as it was typed, for the audit.
std::string text_of(const Selection& selection) {
    std::vector<std::string> parts;
    if (selection.id) {
        parts.push_back("--id=" + selection.id->to_string());
    }
    if (selection.event_type) {
        parts.push_back("--event-type=" + *selection.event_type);
    }
    if (selection.failed_since) {
        parts.push_back("--failed-since=" + *selection.failed_since);
    }
    return fmt::format("{}", fmt::join(parts, " "));
}

/// "1 event", "5 events".
std::string counted(std::size_t count) {
    return fmt::format("{} event{}", count, count == 1 ? "" : "s");
}

/// The same with its verb: "1 event is", "5 events are".
std::string are(std::size_t count) {
    return fmt::format("{} {}", counted(count), count == 1 ? "is" : "are");
}

/// FAILED events that the selection chooses. @throws UsageError for a time that is none
Events find_failed(Connection& connection, const Selection& selection) {
    Events events;
    try {
        append(events, connection.run(sql::choose_failed, {selection.event_type, selection.failed_since},
                                      Deadline::in(long_answer)));
    } catch (const postgres::DatabaseError& error) {
        if (error.sqlstate().starts_with("22")) {
            throw UsageError(
                fmt::format("--failed-since={} is not allowed: it must be a time, such as '2026-01-31 "
                            "08:00+01' or 'yesterday'",
                            selection.failed_since.value_or("")));
        }
        throw;
    }
    return events;
}

/// Events that a verb was asked about one by one: its answer depends on the event's state.
struct Found {
    Events events;
    std::string status;
};

/// The event of that id, with its state; empty when there is none.
Found find_one(Connection& connection, const Uuid& id) {
    Found found;
    const Result row = connection.run(sql::find_event, {id}, Deadline::in(short_answer));
    append(found.events, row);
    found.status = row.empty() ? "" : row.text(0, 2);
    return found;
}

/// How many events a later one of their key has overtaken.
struct Overtaken {
    std::size_t surely = 0;
    std::size_t perhaps = 0; ///< what was sent is deleted, so nobody knows

    [[nodiscard]] std::size_t all() const { return surely + perhaps; }
};

/// Takes them out of `events`.
Overtaken take_overtaken(Connection& connection, Events& events) {
    Transaction look(connection, Deadline::in(long_answer),
                     "BEGIN READ ONLY; SET LOCAL enable_nestloop = off");
    const auto take_out = [&](const postgres::Statement& find) {
        const Result found = look.run(find, {ids_of(events)});
        std::set<Uuid> overtaken;
        for (int i = 0; i < found.rows(); ++i) {
            overtaken.insert(found.uuid(i, 0));
        }
        return std::erase_if(events, [&](const Event& event) { return overtaken.contains(event.id); });
    };
    Overtaken count;
    count.surely = take_out(sql::find_overtaken);
    count.perhaps = events.empty() ? 0 : take_out(sql::find_perhaps_overtaken);
    return count;
}

/// Work on some events of one shard, while no relay claims or marks there. @return the rows that it changed
using Step = std::function<Result(Transaction&, const std::string& ids, int shard)>;

/// Goes through the events shard by shard, in their order. @return how many were changed
std::size_t for_each_shard(Connection& connection, const Events& events, const AuditEntry& entry,
                           const Step& change) {
    // Which shard an event belongs to follows from its bucket and the number of shards.
    const auto shards =
        static_cast<int>(connection.run(sql::shard_count, {}, Deadline::in(short_answer)).integer(0, 0));
    std::map<int, Events> of_shard;
    for (const Event& event : events) {
        of_shard[event.bucket % shards].push_back(event);
    }
    std::size_t changed = 0;
    for (const auto& [shard, all] : of_shard) {
        for (std::size_t at = 0; at < all.size(); at += step) {
            const auto some = std::span(all).subspan(at, std::min(step, all.size() - at));
            Transaction transaction(
                connection, Deadline::in(short_answer),
                "BEGIN; " + store::filled(sql::lock_shard_alone, {{"shard", std::to_string(shard)}}));
            // The number of shards was read before the lock; if it changed since, the
            // shards mean other buckets.
            if (transaction.run(sql::shard_count, {}).integer(0, 0) != shards) {
                throw Error(Action::retry,
                            "the number of shards was changed meanwhile: use the same verb again");
            }
            const Result rows = change(transaction, ids_of(some), shard);
            std::set<std::string> buckets;
            for (int i = 0; i < rows.rows(); ++i) {
                buckets.insert(rows.text(i, 0));
            }
            // Relays that sleep are woken, and those that have floors begin at the head
            // again.
            transaction.run(sql::ring, {store::texts(buckets)});
            transaction.run(sql::look_again, {});
            entry.add(transaction, rows.rows());
            transaction.commit();
            changed += static_cast<std::size_t>(rows.rows());
        }
    }
    return changed;
}

/// What to say when a selection of several events chose none.
Outcome nothing_chosen(const Selection& selection, const char* which) {
    return {fmt::format("no event that {} chooses is {}: nothing to do; `outbox-relay failed` lists what is "
                        "FAILED",
                        text_of(selection), which),
            {}};
}

/// Opens the audit, and has relays ask again what topics accept before the first event comes back.
AuditEntry begin(Connection& connection, const char* verb, const Selection& selection, const Motive& motive) {
    Transaction transaction(connection, Deadline::in(short_answer));
    AuditEntry entry(transaction, verb, text_of(selection), motive);
    transaction.run(sql::forget_refusals, {});
    transaction.commit();
    return entry;
}

} // namespace

/// FAILED -> NEW, see verbs.hpp. What a later event of the key has overtaken is told and left.
Outcome retry(Connection& connection, const Selection& selection, const Motive& motive) {
    Events events;
    if (selection.id) {
        auto found = find_one(connection, *selection.id);
        if (found.events.empty()) {
            return {{}, fmt::format("there is no event {}", selection.id->to_string())};
        }
        if (!store::may(store::actor::retry, found.status, store::status::fresh)) {
            begin(connection, "retry", selection, motive);
            return {fmt::format("event {} is {}: nothing to do", selection.id->to_string(), found.status),
                    {}};
        }
        events = std::move(found.events);
    } else {
        events = find_failed(connection, selection);
    }
    // Looked at before the locks: a walk over later events takes long, and no relay should wait for
    // it.
    const auto left = motive.force || events.empty() ? Overtaken{} : take_overtaken(connection, events);
    const auto changed = for_each_shard(connection, events, begin(connection, "retry", selection, motive),
                                        [](Transaction& transaction, const std::string& ids, int) {
                                            return transaction.run(sql::retry, {ids});
                                        });
    if (changed + left.all() == 0) {
        return nothing_chosen(selection, "FAILED");
    }
    Outcome outcome{are(changed) + " NEW again", {}};
    if (left.surely > 0) {
        outcome.refused =
            fmt::format("{} left FAILED: later events of the same key are sent already, so the order "
                        "would break; --force sends all the same",
                        are(left.surely));
    }
    if (left.perhaps > 0) {
        outcome.refused = fmt::format(
            "{}{} left FAILED: relays delete events that are sent (RELAY_ON_SENT=delete), so later events of "
            "the same key may be sent already, and the order would break; --force sends all the same",
            outcome.refused ? *outcome.refused + "; " : "", are(left.perhaps));
    }
    return outcome;
}

/// FAILED and unsent -> SKIPPED, see verbs.hpp. Shards that may have some in flight are named.
Outcome skip(Connection& connection, const Selection& selection, const Motive& motive) {
    Events events;
    if (selection.id) {
        auto found = find_one(connection, *selection.id);
        if (found.events.empty()) {
            return {{}, fmt::format("there is no event {}", selection.id->to_string())};
        }
        if (found.status == store::status::sent) {
            return {{}, fmt::format("event {} is SENT: nothing takes it back", selection.id->to_string())};
        }
        if (found.status == store::status::skipped) {
            begin(connection, "skip", selection, motive);
            return {fmt::format("event {} is SKIPPED: nothing to do", selection.id->to_string()), {}};
        }
        events = std::move(found.events);
    } else {
        events = find_failed(connection, selection);
        if (!selection.failed_since) {
            append(events,
                   connection.run(sql::choose_unsent, {selection.event_type}, Deadline::in(long_answer)));
        }
    }
    // What may be at the broker is left unless the shard is quiet, or the operator insists.
    std::size_t left = 0;
    std::set<int> busy;
    const auto skip_some = [&](Transaction& transaction, const std::string& ids, int shard) {
        const bool all = motive.force || !transaction.run(sql::is_quiet, {shard}).empty();
        auto rows = transaction.run(sql::skip, {ids, motive.why, all ? "true" : "false"});
        const auto unsent = transaction.run(sql::count_unsent, {ids}).integer(0, 0);
        left += static_cast<std::size_t>(unsent);
        if (unsent > 0) {
            busy.insert(shard);
        }
        return rows;
    };
    const auto changed =
        for_each_shard(connection, events, begin(connection, "skip", selection, motive), skip_some);
    if (changed + left == 0) {
        return nothing_chosen(selection, selection.failed_since ? "FAILED" : "FAILED or unsent");
    }
    Outcome outcome{are(changed) + " SKIPPED", {}};
    if (left > 0) {
        outcome.refused =
            fmt::format("{} left, and may be at the broker now; pause shard {} and skip again once "
                        "outbox-relay status says quiet, or use --force",
                        are(left), fmt::join(busy, ", "));
    }
    return outcome;
}

} // namespace outbox::verbs
