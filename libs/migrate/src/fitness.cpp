// Before and after the steps. Before: does the database fit, and what has to be converted? After: what
// somebody has removed or reset by hand is put right where nothing is lost by it, and named where it
// would be.

#include "fitness.hpp"

#include <outbox/core/error.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/numbering.hpp>
#include <outbox/store/sql/migrate.hpp>
#include <outbox/store/sql/relays.hpp>
#include <outbox/survey/survey.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace outbox::migrations {

using postgres::Transaction;

std::vector<std::string> require_fit(postgres::Connection& connection, bool convert,
                                     const Runner::Progress& progress, Deadline deadline) {
    std::vector<std::string> conversions;
    std::string refused;
    bool convertible = false;
    for (const survey::Finding& finding : survey::judge(survey::read(connection, deadline))) {
        if (finding.mend == survey::mended_by_up) {
            continue; // it will say so
        }
        if (finding.severity != survey::Severity::refuse) {
            progress(survey::line_of(finding));
        } else if (convert && finding.convertible) {
            conversions.push_back(finding.mend);
        } else {
            convertible = convertible || finding.convertible;
            refused.append(refused.empty() ? "" : "\n").append(survey::line_of(finding));
        }
    }
    if (!refused.empty()) {
        throw Error(Action::stop,
                    refused +
                        (convertible ? "\n(up --convert runs those ALTER TABLE that lose nothing)" : ""));
    }
    return conversions;
}

void mend_meta(postgres::Connection& connection, const Runner::Progress& progress, Deadline deadline) {
    if (connection.query("SELECT to_regclass('outbox_meta')", {}, deadline).is_null(0, 0) ||
        !connection.query(store::sql::find_meta.sql, {}, deadline).empty()) {
        return;
    }
    if (!connection.query(store::sql::find_marks.sql, {}, deadline).empty()) {
        throw Error(
            Action::stop,
            "outbox_meta is empty, and with it the outbox's id is gone, by which Kafka knows what was "
            "sent: restore its row from a backup (pg_dump --data-only -t outbox_meta)");
    }
    connection.query(store::sql::add_meta.sql, {}, deadline);
    progress("outbox_meta was empty: this is a new outbox now");
}

namespace {

/// The step that makes triggers, and can run again. @param name  of its file;
const std::string& maker(const std::vector<Migration>& files, std::string_view name) {
    static const std::string none;
    const auto found = std::ranges::find_if(
        files, [name](const Migration& file) { return file.set == Set::outbox && file.name == name; });
    return found == files.end() ? none : found->up;
}

} // namespace

void mend_triggers(postgres::Connection& connection, const std::vector<Migration>& files,
                   const Runner::Progress& progress, Deadline deadline) {
    std::string gone;
    std::set<std::string> makers;
    const auto facts = survey::read(connection, deadline);
    for (const survey::SilentTrigger& trigger : facts.silent_triggers) {
        if (!trigger.stands) {
            gone += fmt::format("{}{} on {}", gone.empty() ? "" : ", ", trigger.name, trigger.table);
            makers.insert(trigger.name.starts_with("outbox_refuse_old_") ? "guards" : "triggers");
        }
    }
    if (gone.empty()) {
        return;
    }
    try {
        // Writers that come later queue behind the lock that CREATE TRIGGER waits for.
        Transaction transaction(connection, deadline, "BEGIN; SET LOCAL lock_timeout = '3s'");
        for (const std::string& name : makers) {
            connection.script(maker(files, name), deadline);
        }
        transaction.commit();
        progress(gone + " was gone: made anew");
    } catch (const postgres::DatabaseError& error) {
        if (error.sqlstate() != "55P03") {
            throw;
        }
        progress(
            fmt::format("{} is gone, and is not made anew: transactions that write there were in the way;"
                        " type: outbox-migrate up",
                        gone));
    }
}

void mend_numbering(postgres::Connection& connection, const Runner::Progress& progress, Deadline deadline) {
    if (connection.query("SELECT to_regclass('outbox_meta')", {}, deadline).is_null(0, 0)) {
        return;
    }
    if (const auto newest = store::mend_identity(connection, store::Look::everywhere, deadline)) {
        progress(
            fmt::format("the identity of outbox_events.seq stood below event {}, as after a move by logical "
                        "replication: it was moved past it",
                        *newest));
    }
}

} // namespace outbox::migrations
