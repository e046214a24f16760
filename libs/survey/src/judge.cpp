// What is to be said about a database, from the facts alone. Each function looks at one matter and adds
// findings; refusals come first in the end. Every refusal is a way in which events would be lost, sent
// twice or sent in another order without anybody being told, so nothing is sent while one stands.

#include "columns.hpp"
#include "triggers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace outbox::survey {
namespace {

using Findings = std::vector<Finding>;

/// A sequence with less room than this is told about; a relay can take years to get there, or a day.
constexpr std::int64_t soon_used_up = 1'000'000'000;

void judge_encoding(const Facts& facts, Findings& findings) {
    if (facts.encoding == "UTF8") {
        return;
    }
    findings.push_back(
        {Severity::warn, "database " + facts.database,
         fmt::format("is encoded as {}: an event with bytes that have no form in UTF-8 becomes FAILED",
                     facts.encoding),
         "keep writers to UTF-8 text, or move to a database with ENCODING 'UTF8'", false});
}

/// Why a relation cannot be the outbox; null when it can.
const char* kind_of(const Table& table) {
    switch (table.kind) {
    case 'p':
        return "is partitioned, so its rows have no number of their own to be sent by";
    case 'v':
        return "is a view";
    case 'm':
        return "is a materialized view";
    case 'f':
        return "is a foreign table";
    case 'r':
        break;
    default:
        return "is no table";
    }
    if (table.is_partition) {
        return "is a partition";
    }
    return table.inherits ? "inherits, or is inherited from" : nullptr;
}

/// @return whether its columns can be looked at
bool judge_kind(const Table& table, Findings& findings) {
    if (const char* const kind = kind_of(table)) {
        const bool served = table.kind == 'p';
        findings.push_back(
            {Severity::refuse, table.name, fmt::format("{}, and the outbox must be an ordinary table", kind),
             served
                 ? "let DB_SCHEMA name another schema for the outbox, and serve this table by a section "
                   "[table] with schema and name in the file of --config"
                 : fmt::format("let DB_SCHEMA name another schema for the outbox, or: ALTER {} {} RENAME TO "
                               "old_outbox_events;",
                               table.kind == 'v'   ? "VIEW"
                               : table.kind == 'm' ? "MATERIALIZED VIEW"
                               : table.kind == 'f' ? "FOREIGN TABLE"
                                                   : "TABLE",
                               table.name),
             false});
        return false;
    }
    if (table.persistence == 't') {
        findings.push_back({Severity::refuse, table.name, "is temporary: it ends with its session",
                            "DROP TABLE " + table.name + ";", false});
    }
    return true;
}

/// `up` is about to add columns, and perhaps a later one will.
void judge_typed(const Facts& facts, Findings& findings) {
    if (facts.events->is_typed) {
        findings.push_back({facts.ours ? Severity::warn : Severity::refuse, facts.events->name,
                            "is a typed table (CREATE TABLE ... OF), which takes no columns but its type's",
                            fmt::format("ALTER TABLE {} NOT OF;", facts.events->name), !facts.ours});
    }
}

/// Row-level security may hide events from the very role that has to send them.
void judge_row_security(const Facts& facts, const Table& table, Findings& findings) {
    if (table.hides_rows) {
        findings.push_back(
            {Severity::refuse, table.name,
             fmt::format(
                 "has row-level security that hides rows from role {}: events would never be sent, and "
                 "nobody would know",
                 facts.role),
             fmt::format("ALTER TABLE {} DISABLE ROW LEVEL SECURITY; or ALTER ROLE {} BYPASSRLS;", table.name,
                         facts.role),
             false});
    } else if (table.row_security) {
        findings.push_back(
            {Severity::warn, table.name,
             fmt::format("has row-level security: it hides nothing from role {}, but may from the "
                         "relay's or an operator's",
                         facts.role),
             fmt::format("ALTER TABLE {} DISABLE ROW LEVEL SECURITY;", table.name), false});
    }
}

/// Order rests on `seq`: one number for each event, given in the order of the inserts, and never again.
void judge_numbering(const Facts& facts, Findings& findings) {
    if (!facts.ours) {
        return;
    }
    const std::string& table = facts.events->name;
    // Without an identity numbers come from writers or from nowhere, and order means nothing.
    if (!facts.numbering || facts.numbering->sequence.empty()) {
        findings.push_back(
            {Severity::refuse, "column seq of " + table,
             "is not numbered by an identity any more, so events have no order",
             fmt::format(
                 "ALTER TABLE {0} ALTER COLUMN seq DROP DEFAULT, ALTER COLUMN seq ADD GENERATED ALWAYS AS "
                 "IDENTITY; then outbox-migrate up",
                 table),
             false});
        return;
    }
    const Numbering& numbering = *facts.numbering;
    const auto refuse = [&](const std::string& what, const std::string& change) {
        findings.push_back({Severity::refuse, numbering.sequence, what,
                            fmt::format("ALTER SEQUENCE {} {};", numbering.sequence, change), false});
    };
    // A cached sequence gives a session numbers ahead of others: a later event may get the smaller
    // one.
    if (numbering.cache > 1) {
        refuse(fmt::format(
                   "gives each session {} numbers at once, so a later event of a key may get a smaller one",
                   numbering.cache),
               "CACHE 1");
    }
    if (numbering.step != 1) {
        refuse(fmt::format("counts by {}, and order is that of growing numbers", numbering.step),
               "INCREMENT BY 1");
    }
    if (numbering.cycles) {
        refuse("begins again when its numbers are used up", "NO CYCLE");
    }
    // Told long before the end, for only a person can lift it.
    if (const auto left = numbering.most - numbering.last.value_or(0); left < soon_used_up) {
        findings.push_back(
            {Severity::error, numbering.sequence,
             left > 0 ? fmt::format("ends at {}, and {} is given already: after that every "
                                    "insert fails",
                                    numbering.most, numbering.last.value_or(0))
                      : fmt::format("ends at {}, which is given: every insert fails", numbering.most),
             fmt::format("ALTER SEQUENCE {} NO MAXVALUE;", numbering.sequence), false});
    }
    if (!numbering.always) {
        findings.push_back({Severity::warn, "column seq of " + table,
                            "takes numbers that writers give, and then order per key is theirs to keep",
                            fmt::format("ALTER TABLE {} ALTER COLUMN seq SET GENERATED ALWAYS;", table),
                            false});
    }
    // What relays and `up` mend by themselves is told all the same: until then order is in danger.
    if (numbering.newest_above) {
        findings.push_back(
            {Severity::error, numbering.sequence,
             fmt::format("stands at {}, below event {}: new events would overtake older ones of their key",
                         numbering.last.value_or(0), *numbering.newest_above),
             "outbox-migrate up (it moves it; so does a relay that starts)", false});
    }
    if (numbering.at_the_end) {
        const auto& [id, seq] = *numbering.at_the_end;
        findings.push_back(
            {Severity::error, "event " + id,
             fmt::format(
                 "has seq {}, too near the end for the numbering to go on behind it: new events of its "
                 "key are not kept behind it",
                 seq),
             fmt::format("DELETE FROM {} WHERE id = '{}'; and INSERT it again without seq", table, id),
             false});
    }
}

/// What does not let relays write what they must: constraints, rules, triggers, and the default of
/// `status`.
void judge_behaviour(const Facts& facts, Findings& findings) {
    const std::string& table = facts.events->name;
    if (!facts.id_is_unique) {
        findings.push_back({Severity::refuse, "column id of " + table, "is neither a primary key nor unique",
                            fmt::format("ALTER TABLE {} ADD PRIMARY KEY (id);", table), true});
    }
    // A constraint on `status` may have been written for another life of the table.
    for (const StatusCheck& check : facts.checks) {
        if (check.refused.empty() && check.name == "outbox_events_status_check") {
            findings.push_back({Severity::refuse, fmt::format("constraint {} of {}", check.name, table),
                                "has the name of the outbox's own, which takes its place",
                                fmt::format("ALTER TABLE {} DROP CONSTRAINT {};", table, check.name), true});
        } else if (!check.refused.empty()) {
            findings.push_back({Severity::refuse, fmt::format("constraint {} of {}", check.name, table),
                                "does not let status be " + check.refused,
                                fmt::format("ALTER TABLE {} DROP CONSTRAINT {};", table, check.name), false});
        }
    }
    // 'NEW'::character varying, or whatever else may be made of the literal.
    if (!facts.status_default.empty() && facts.status_default.rfind("'NEW'", 0) != 0 &&
        facts.status_default.rfind("NULL", 0) != 0) {
        findings.push_back(
            {Severity::refuse, "column status of " + table,
             fmt::format("has the default {}, so events of writers who do not name it would not be sent",
                         facts.status_default),
             fmt::format("ALTER TABLE {} ALTER COLUMN status SET DEFAULT 'NEW';", table), true});
    }
    // Others are only named: what a constraint refuses is seen when it does.
    for (const std::string& check : facts.narrow_checks) {
        findings.push_back(
            {Severity::warn, fmt::format("constraint {} of {}", check, table),
             "is about what relays write: what it refuses cannot be marked as sent, and its shard waits",
             fmt::format("ALTER TABLE {} DROP CONSTRAINT {}; unless you need it", table, check), false});
    }
    // A rule rewrites statements, so nobody knows what an UPDATE of ours becomes.
    for (const std::string& rule : facts.rules) {
        findings.push_back({Severity::refuse, fmt::format("rule {} on {}", rule, table),
                            "rewrites what is done to events",
                            fmt::format("DROP RULE {} ON {};", rule, table), false});
    }
    for (const std::string& trigger : facts.triggers) {
        findings.push_back(
            {Severity::warn, fmt::format("trigger {} on {}", trigger, table),
             "runs several times for each event on its way to SENT, and one that cancels or changes "
             "these updates breaks the delivery",
             fmt::format("DROP TRIGGER {} ON {}; unless you need it", trigger, table), false});
    }
}

/// Roles whose sessions fire no triggers write rows of served tables that never become events.
void judge_roles(const Facts& facts, Findings& findings) {
    for (const std::string& role : facts.mute_roles) {
        findings.push_back(
            {role == "ALL" ? Severity::error : Severity::warn,
             role == "ALL" ? "database " + facts.database : "role " + role,
             "has session_replication_role = replica: its sessions fire no trigger, so rows of served tables "
             "become "
             "no events and the doorbell is silent",
             role == "ALL"
                 ? fmt::format("ALTER DATABASE {} RESET session_replication_role;", facts.database)
                 : fmt::format("ALTER ROLE {0} RESET session_replication_role; ALTER ROLE {0} IN DATABASE "
                               "{1} RESET session_replication_role;",
                               role, facts.database),
             false});
    }
}

} // namespace

const char* name_of(Severity severity) {
    switch (severity) {
    case Severity::refuse:
        return "refuse";
    case Severity::error:
        return "error";
    case Severity::warn:
        break;
    }
    return "warn";
}

Findings judge(const Facts& facts) {
    Findings findings;
    if (!facts.has_identity) {
        findings.push_back({Severity::refuse, "outbox_meta",
                            "is empty: somebody deleted its row, which says who this outbox is, and nobody "
                            "else may guess it",
                            "INSERT INTO outbox_meta (outbox_id, name, cluster_id, shard_count) VALUES "
                            "(outbox, name, cluster, shards); as "
                            "a relay's log has them in its line 'relay starts'",
                            false});
    }
    judge_encoding(facts, findings);
    judge_roles(facts, findings);
    if (facts.events && judge_kind(*facts.events, findings)) {
        judge_row_security(facts, *facts.events, findings);
        auto columns = judge_columns(facts);
        std::move(columns.begin(), columns.end(), std::back_inserter(findings));
        judge_typed(facts, findings);
        judge_behaviour(facts, findings);
        judge_own_triggers(facts, findings);
        judge_numbering(facts, findings);
    }
    for (const Table& table : facts.tables) {
        judge_row_security(facts, table, findings);
    }
    std::stable_sort(findings.begin(), findings.end(),
                     [](const Finding& a, const Finding& b) { return a.severity < b.severity; });
    return findings;
}

bool refuses(const Findings& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& finding) { return finding.severity == Severity::refuse; });
}

bool hides_rows(const Facts& facts) {
    return (facts.events && facts.events->hides_rows) ||
           std::any_of(facts.tables.begin(), facts.tables.end(),
                       [](const Table& table) { return table.hides_rows; });
}

std::string line_of(const Finding& finding) {
    return fmt::format("{}: {}; type: {}", finding.object, finding.what, finding.mend);
}

} // namespace outbox::survey
