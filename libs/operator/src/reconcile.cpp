// reconcile: what the topics hold decides what is sent, where the control topic or the database was lost and
// cannot.
#include "audit.hpp"
#include "exclusive.hpp"
#include "search.hpp"

#include <outbox/store/numbering.hpp>
#include <outbox/store/schema.hpp>
#include <outbox/store/sql/adopt.hpp>
#include <outbox/store/sql/reconcile.hpp>
#include <outbox/store/sql/slots.hpp>
#include <outbox/store/texts.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;
using postgres::Connection;
using postgres::Result;
using postgres::Transaction;

constexpr milliseconds short_answer{10'000};
constexpr milliseconds long_answer{600'000};
constexpr std::size_t step = 1000;

/// @param deleted_since  relays delete events that are sent
std::string summary(const Findings& findings, const std::optional<std::string>& deleted_since) {
    std::string text =
        fmt::format("{} committed records seen; {} events that the database has not as SENT are in their"
                    " topics, {} more among the dead letters",
                    findings.records, findings.sent.size(), findings.dead.size());
    if (findings.without_row > 0) {
        text += fmt::format("; {} records have no row here", findings.without_row);
        if (deleted_since) {
            text += fmt::format(" (relays delete events that are sent, since {}: RELAY_ON_SENT=delete)",
                                *deleted_since);
        }
    }
    if (findings.skipped > 0) {
        text += fmt::format("; {} records belong to SKIPPED events", findings.skipped);
    }
    return text;
}

std::optional<std::string> doubt_of(const Findings& findings) {
    if (findings.not_found == 0 || findings.doubts.empty()) {
        return std::nullopt;
    }
    return fmt::format(
        "it cannot be known whether {} unsent events were sent, which are not found: {}; look for them as"
        " docs/operations.md says under 'What reconcile cannot know', then --force has sent again what is "
        "left",
        findings.not_found, fmt::join(findings.doubts, "; "));
}

std::int64_t write_state(Connection& connection, const std::map<Uuid, SeenRecord>& found, const char* state,
                         const AuditEntry& entry) {
    std::vector<SeenRecord> events;
    for (const auto& [id, event] : found) {
        events.push_back(event);
    }
    std::int64_t changed = 0;
    for (std::size_t at = 0; at < events.size(); at += step) {
        const auto some = std::span(events).subspan(at, std::min(step, events.size() - at));
        Transaction transaction(connection, Deadline::in(long_answer));
        const auto column = [&](auto member) {
            return store::array_of(some, [member](std::string& text, const SeenRecord& event) {
                fmt::format_to(std::back_inserter(text), "{}", event.*member);
            });
        };
        const auto ids = store::array_of(
            some, [](std::string& text, const SeenRecord& event) { text += event.id->to_string(); });
        const auto rows = transaction
                              .run(sql::reconcile,
                                   {ids, column(&SeenRecord::partition), column(&SeenRecord::offset), state})
                              .affected();
        entry.add(transaction, rows);
        transaction.commit();
        changed += rows;
    }
    return changed;
}

/// Rows that are PROCESSING still were not sent; the shards go on after what the control topic has.
std::int64_t begin_after(Connection& connection, const std::vector<ControlEnd>& ends) {
    Transaction transaction(connection, Deadline::in(long_answer),
                            "BEGIN; SET LOCAL synchronous_commit = on");
    const auto column = [&](auto member) {
        return store::array_of(ends, [member](std::string& text, const ControlEnd& end) {
            fmt::format_to(std::back_inserter(text), "{}", end.*member);
        });
    };
    const auto reset = transaction.run(sql::unsend, {}).affected();
    transaction.run(sql::add_named_shards, {column(&ControlEnd::shard)});
    transaction.run(sql::reconcile_shards, {column(&ControlEnd::shard), column(&ControlEnd::batch),
                                            column(&ControlEnd::offset), column(&ControlEnd::epoch)});
    std::int64_t largest = 0;
    for (const ControlEnd& end : ends) {
        largest = std::max(largest, end.largest_seq);
    }
    if (largest > 0) {
        store::move_identity(connection, largest, Deadline::in(long_answer));
    }
    transaction.commit();
    store::mend_identity(connection, store::Look::everywhere, Deadline::in(long_answer));
    return reset;
}

std::optional<std::string> not_ours(const Belonging& now, const std::string& cluster,
                                    const std::string& name) {
    if (!now.name || !now.cluster) {
        return "no relay has started on this database yet: there is nothing to reconcile";
    }
    if (*now.name != name || *now.cluster != cluster) {
        return fmt::format(
            "this database belongs to {} of cluster {}, not to {} of {}: mend OUTBOX_NAME or KAFKA_BROKERS,"
            " or adopt first",
            *now.name, *now.cluster, name, cluster);
    }
    return std::nullopt;
}

std::vector<int> numbers_of(Connection& connection, const postgres::Statement& statement) {
    const Result rows = connection.run(statement, {}, Deadline::in(short_answer));
    std::vector<int> numbers;
    for (int i = 0; i < rows.rows(); ++i) {
        numbers.push_back(static_cast<int>(rows.integer(i, 0)));
    }
    return numbers;
}

} // namespace

Outcome reconcile(Connection& connection, Cluster& cluster, const Reconciliation& wanted,
                  const Motive& motive) {
    const auto now = belonging(connection);
    if (auto refused = not_ours(now, cluster.id(), wanted.name)) {
        return {{}, std::move(refused)};
    }
    if (wanted.apply) {
        if (auto refused = lock_out_relays(connection)) {
            return {{}, std::move(refused)};
        }
        cluster.end_transactions(now.outbox_id, numbers_of(connection, sql::all_slots),
                                 numbers_of(connection, sql::find_shards));
    }
    // Before the topics: what comes later is not sent by relays of this outbox.
    const auto ends = cluster.control_ends(now.outbox_id);
    const std::string advice =
        ends.foreign
            ? fmt::format(
                  "; outbox {} writes under this name too: afterwards type OUTBOX_NAME=... outbox-relay"
                  " adopt, with another name, and start the relays with it",
                  ends.foreign->to_string())
            : "";
    const auto findings = search(connection, cluster, {wanted.dead_letter_topic, wanted.ids_are_foreign});
    const auto seen = summary(findings, store::sent_deleted_since(connection, short_answer));
    auto doubt = doubt_of(findings);
    if (!wanted.apply) {
        return {"nothing is changed without --apply: " + seen + advice, std::move(doubt)};
    }
    if (doubt && !motive.force) {
        return {{}, std::move(doubt)};
    }
    Transaction transaction(connection, Deadline::in(short_answer));
    const AuditEntry entry(transaction, "reconcile", "--apply", motive);
    transaction.commit();
    const auto sent = write_state(connection, findings.sent, "SENT", entry);
    const auto dead = write_state(connection, findings.dead, "FAILED", entry);
    const auto reset = begin_after(connection, ends.ours);
    return {fmt::format(
                "{} events are SENT, {} are FAILED, {} NEW again, and the shards go on after what the control"
                " topic has; {}{}",
                sent, dead, reset, seen, advice),
            {}};
}

} // namespace outbox::verbs
