// Reads what the database is: the catalogue's word on outbox_events, its columns, numbering,
// constraints, rules and triggers. Nothing is judged here and nothing is changed; judge.cpp decides on
// what was read, so the decisions are tested without a server. Older outboxes lack some of it, and are
// read all the same.

#include "outbox/survey/facts.hpp"

#include "triggers.hpp"

#include <outbox/postgres/transaction.hpp>
#include <outbox/store/numbering.hpp>
#include <outbox/store/sql/survey.hpp>

#include <fmt/format.h>

namespace outbox::survey {
namespace {

namespace sql = store::sql;
using postgres::Connection;
using postgres::DatabaseError;
using postgres::Result;
using postgres::Transaction;

/// A relation from the columns of survey_events and survey_tables.
Table table_of(const Result& rows, int i) {
    return {.name = rows.text(i, 0),
            .kind = rows.bytes(i, 1)[0],
            .persistence = rows.bytes(i, 2)[0],
            .is_partition = rows.boolean(i, 3),
            .inherits = rows.boolean(i, 4),
            .row_security = rows.boolean(i, 5),
            .hides_rows = rows.boolean(i, 6),
            .is_typed = rows.boolean(i, 8)};
}

/// The first column of each row.
std::vector<std::string> texts_of(const Result& rows) {
    std::vector<std::string> texts;
    for (int i = 0; i < rows.rows(); ++i) {
        texts.push_back(rows.text(i, 0));
    }
    return texts;
}

std::vector<Column> columns_of(const Result& rows) {
    std::vector<Column> columns;
    for (int i = 0; i < rows.rows(); ++i) {
        const auto generated = rows.bytes(i, 6);
        columns.push_back({.name = rows.text(i, 0),
                           .type = rows.text(i, 1),
                           .length = static_cast<int>(rows.integer(i, 2)),
                           .is_enum = rows.boolean(i, 3),
                           .not_null = rows.boolean(i, 4),
                           .has_default = rows.boolean(i, 5),
                           .generated = generated.empty() ? '\0' : generated[0]});
    }
    return columns;
}

std::optional<Numbering> numbering_of(const Result& rows) {
    if (rows.empty()) {
        return std::nullopt;
    }
    Numbering numbering{.sequence = rows.text(0, 0),
                        .cache = rows.integer(0, 1),
                        .step = rows.integer(0, 2),
                        .most = rows.integer(0, 3),
                        .last = {},
                        .cycles = rows.boolean(0, 4),
                        .always = rows.boolean(0, 6),
                        .newest_above = {}};
    if (!rows.is_null(0, 5)) {
        numbering.last = rows.integer(0, 5);
    }
    return numbering;
}

/// Which of our states the constraint refuses. One that cannot be asked so is not judged.
std::string refused_by(Connection& connection, const std::string& condition, Deadline deadline) {
    try {
        return connection.query(store::filled(sql::survey_refused, {{"condition", condition}}), {}, deadline)
            .text(0, 0);
    } catch (const DatabaseError&) {
        return {};
    }
}

/// Nothing where the role may not look, or the outbox is older than what is looked at.
void compare_with_events(Connection& connection, Numbering& numbering, Deadline deadline) {
    try {
        numbering.newest_above = store::newest_above_identity(connection, store::Look::unsent, deadline);
        if (auto last = store::event_at_the_end(connection, deadline)) {
            numbering.at_the_end = LastNumber{std::move(last->id), last->seq};
        }
    } catch (const DatabaseError& error) {
        if (error.sqlstate() != "42501" && error.sqlstate() != "42703" && error.sqlstate() != "42P01") {
            throw;
        }
    }
}

} // namespace

Facts read(Connection& connection, Deadline deadline) {
    Facts facts;
    std::vector<std::pair<std::string, std::string>> checks;
    bool may_ask = false;
    {
        Transaction transaction(connection, deadline, "BEGIN READ ONLY; SET LOCAL jit = off");
        const Result database = transaction.run(sql::survey_database, {});
        facts.role = database.text(0, 0);
        facts.database = database.text(0, 1);
        facts.encoding = database.text(0, 2);
        facts.mute_roles = texts_of(transaction.run(sql::survey_mute_roles, {}));
        const Result events = transaction.run(sql::survey_events, {});
        if (!events.empty()) {
            const std::string oid = events.text(0, 7);
            facts.events = table_of(events, 0);
            facts.columns = columns_of(transaction.run(sql::survey_columns, {oid}));
            facts.ours = database.boolean(0, 3);
            facts.marks_failed = database.boolean(0, 4);
            facts.holds_bytes = database.boolean(0, 5);
            facts.id_is_unique = transaction.run(sql::survey_unique, {oid}).boolean(0, 0);
            const Result numbering = transaction.run(sql::survey_numbering, {oid});
            facts.numbering = numbering_of(numbering);
            may_ask = !numbering.empty() && numbering.boolean(0, 7);
            const Result found = transaction.run(sql::survey_checks, {oid});
            for (int i = 0; i < found.rows(); ++i) {
                checks.emplace_back(found.text(i, 0), found.text(i, 1));
            }
            const Result status_default = transaction.run(sql::survey_status_default, {oid});
            facts.status_default = status_default.empty() ? "" : status_default.text(0, 0);
            if (facts.ours) {
                const Result may = transaction.run(sql::survey_may_read_identity, {});
                if (!may.is_null(0, 0) && may.boolean(0, 0)) {
                    facts.has_identity = transaction.run(sql::survey_identity, {}).boolean(0, 0);
                }
            }
            facts.narrow_checks = texts_of(transaction.run(sql::survey_narrow_checks, {oid}));
            facts.rules = texts_of(transaction.run(sql::survey_rules, {oid}));
            facts.triggers = texts_of(transaction.run(sql::survey_triggers, {oid}));
            if (facts.ours) {
                read_own_triggers(transaction, oid, facts);
            }
            const Result tables = transaction.run(sql::survey_tables, {});
            for (int i = 0; i < tables.rows(); ++i) {
                facts.tables.push_back(table_of(tables, i));
            }
        }
        transaction.commit();
    }
    // After the transaction: a constraint may call a function that fails, which would end the
    // transaction.
    for (const auto& [name, condition] : checks) {
        if (!facts.ours || name != "outbox_events_status_check") {
            facts.checks.push_back({name, refused_by(connection, condition, deadline)});
        }
    }
    const bool hidden = facts.events && (facts.events->hides_rows || facts.events->kind != 'r');
    if (facts.ours && may_ask && facts.numbering && !hidden) {
        compare_with_events(connection, *facts.numbering, deadline);
    }
    return facts;
}

} // namespace outbox::survey
