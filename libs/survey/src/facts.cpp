#include "outbox/survey/facts.hpp"

#include "triggers.hpp"

#include <outbox/postgres/transaction.hpp>
#include <outbox/store/numbering.hpp>

#include <fmt/format.h>

namespace outbox::survey {
namespace {

using postgres::Connection;
using postgres::DatabaseError;
using postgres::Result;
using postgres::Statement;
using postgres::Transaction;

constexpr Statement read_database{
    "outbox_survey_database",
    "SELECT quote_ident(current_user), quote_ident(current_database()), current_setting('server_encoding'),"
    " to_regclass('outbox_meta') IS NOT NULL, to_regclass('outbox_audit') IS NOT NULL,"
    " EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass('outbox_events')"
    " AND conname = 'outbox_events_value_check')"};

#define OUTBOX_TABLE_FACTS                                                                                   \
    "SELECT format('%I.%I', n.nspname, c.relname), c.relkind, c.relpersistence, c.relispartition,"           \
    " c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)),"           \
    " c.relrowsecurity, c.relkind IN ('r', 'p') AND row_security_active(c.oid), c.oid,"                      \
    " c.reloftype <> 0"                                                                                      \
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE "

constexpr Statement read_events{"outbox_survey_events",
                                OUTBOX_TABLE_FACTS "c.oid = to_regclass('outbox_events')"};

constexpr Statement read_tables{
    "outbox_survey_tables", OUTBOX_TABLE_FACTS
    "c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('outbox_events')) AND "
    "c.relrowsecurity"
    " AND c.relname IN ('outbox_meta', 'outbox_shards', 'outbox_relays', 'outbox_blocked_keys', "
    "'outbox_pauses',"
    " 'outbox_audit', 'outbox_topics', 'outbox_lost_markers', 'outbox_backfills') ORDER BY c.relname"};

constexpr Statement read_columns{
    "outbox_survey_columns",
    "SELECT quote_ident(a.attname), format_type(b.oid, NULL),"
    " CASE WHEN b.oid IN ('varchar'::regtype, 'bpchar'::regtype) AND coalesce(nullif(t.typtypmod, -1), "
    "a.atttypmod) > 4"
    " THEN coalesce(nullif(t.typtypmod, -1), a.atttypmod) - 4 ELSE 0 END,"
    " b.typtype = 'e', a.attnotnull OR t.typnotnull,"
    " (a.atthasdef AND a.attgenerated = '') OR a.attidentity <> '' OR t.typdefault IS NOT NULL, "
    "a.attgenerated"
    " FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid"
    " JOIN pg_type AS b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"};

constexpr Statement read_unique{
    "outbox_survey_unique",
    "SELECT EXISTS (SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum "
    "= i.indkey[0]"
    " WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indnkeyatts = 1"
    " AND i.indpred IS NULL AND a.attname = 'id')"};

constexpr Statement read_numbering{
    "outbox_survey_numbering",
    "SELECT format('%I.%I', n.nspname, c.relname), s.seqcache, s.seqincrement, s.seqmax, s.seqcycle,"
    " CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') THEN pg_sequence_last_value(c.oid) END,"
    " a.attidentity = 'a', has_sequence_privilege(c.oid, 'SELECT, USAGE')"
    " FROM pg_attribute AS a JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = "
    "a.attrelid"
    " AND d.refobjsubid = a.attnum AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'"
    " JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_sequence AS s ON s.seqrelid = c.oid"
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE a.attrelid = $1::oid AND a.attname = 'seq' AND a.attidentity <> ''"};

constexpr Statement read_checks{
    "outbox_survey_checks",
    "SELECT quote_ident(k.conname), pg_get_expr(k.conbin, k.conrelid) FROM pg_constraint AS k"
    " JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]"
    " WHERE k.conrelid = $1::oid AND k.contype = 'c' AND a.attname = 'status' ORDER BY k.conname"};

constexpr Statement read_status_default{
    "outbox_survey_status_default",
    "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = "
    "d.adrelid"
    " AND a.attnum = d.adnum WHERE d.adrelid = $1::oid AND a.attname = 'status' AND a.attgenerated = ''"};

constexpr Statement may_read_identity{
    "outbox_survey_may_read_identity",
    "SELECT bool_and(has_table_privilege(t.oid, 'SELECT') AND NOT row_security_active(t.oid))"
    " FROM unnest(ARRAY[to_regclass('outbox_meta'), to_regclass('outbox_shards')]) AS t(oid)"};
/// Where nothing was ever sent `up` makes it a new outbox.
constexpr Statement read_identity{"outbox_survey_identity",
                                  "SELECT EXISTS (SELECT FROM outbox_meta)"
                                  " OR NOT EXISTS (SELECT FROM outbox_shards WHERE marked_batch > 0)"};

/// A constraint about status alone is asked what it refuses.
constexpr Statement read_narrow_checks{
    "outbox_survey_narrow_checks",
    "SELECT quote_ident(k.conname) FROM pg_constraint AS k WHERE k.conrelid = $1::oid AND k.contype = 'c'"
    " AND k.conname NOT LIKE 'outbox\\_events\\_%' AND EXISTS (SELECT FROM pg_attribute AS a"
    " WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND (a.attname IN ('processed_at', "
    "'retry_count',"
    " 'error_message', 'next_attempt_at', 'kafka_partition', 'kafka_offset') OR (a.attname = 'status' AND"
    " cardinality(k.conkey) > 1))) ORDER BY 1"};

constexpr Statement read_rules{"outbox_survey_rules",
                               "SELECT quote_ident(rulename) FROM pg_rewrite WHERE ev_class = $1::oid"
                               " AND rulename <> '_RETURN' AND ev_enabled <> 'D' ORDER BY rulename"};

// An UPDATE's bit in tgtype is 16.
constexpr Statement read_triggers{
    "outbox_survey_triggers",
    "SELECT quote_ident(t.tgname) FROM pg_trigger AS t WHERE t.tgrelid = $1::oid AND NOT t.tgisinternal"
    " AND t.tgenabled IN ('O', 'A') AND t.tgtype & 16 > 0 AND t.tgname NOT LIKE 'outbox\\_%'"
    " AND (t.tgattr::text = '' OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.tgrelid"
    " AND a.attnum = ANY (t.tgattr) AND a.attname IN ('status', 'processed_at', 'retry_count', "
    "'error_message',"
    " 'next_attempt_at', 'kafka_partition', 'kafka_offset'))) ORDER BY t.tgname"};

constexpr Statement read_mute_roles{
    "outbox_survey_mute_roles",
    "SELECT coalesce(quote_ident(r.rolname), 'ALL') FROM pg_db_role_setting AS s"
    " LEFT JOIN pg_roles AS r ON r.oid = s.setrole"
    " WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))"
    " AND 'session_replication_role=replica' = ANY (s.setconfig) ORDER BY 1"};

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
        return connection
            .query(fmt::format(
                       "SELECT string_agg(status, ', ') FROM unnest('{{NEW,PROCESSING,SENT,FAILED,SKIPPED}}'"
                       "::varchar[]) AS v(status) WHERE NOT ({})",
                       condition),
                   {}, deadline)
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
        const Result database = transaction.run(read_database, {});
        facts.role = database.text(0, 0);
        facts.database = database.text(0, 1);
        facts.encoding = database.text(0, 2);
        facts.mute_roles = texts_of(transaction.run(read_mute_roles, {}));
        const Result events = transaction.run(read_events, {});
        if (!events.empty()) {
            const std::string oid = events.text(0, 7);
            facts.events = table_of(events, 0);
            facts.columns = columns_of(transaction.run(read_columns, {oid}));
            facts.ours = database.boolean(0, 3);
            facts.marks_failed = database.boolean(0, 4);
            facts.holds_bytes = database.boolean(0, 5);
            facts.id_is_unique = transaction.run(read_unique, {oid}).boolean(0, 0);
            const Result numbering = transaction.run(read_numbering, {oid});
            facts.numbering = numbering_of(numbering);
            may_ask = !numbering.empty() && numbering.boolean(0, 7);
            const Result found = transaction.run(read_checks, {oid});
            for (int i = 0; i < found.rows(); ++i) {
                checks.emplace_back(found.text(i, 0), found.text(i, 1));
            }
            const Result status_default = transaction.run(read_status_default, {oid});
            facts.status_default = status_default.empty() ? "" : status_default.text(0, 0);
            if (facts.ours) {
                const Result may = transaction.run(may_read_identity, {});
                if (!may.is_null(0, 0) && may.boolean(0, 0)) {
                    facts.has_identity = transaction.run(read_identity, {}).boolean(0, 0);
                }
            }
            facts.narrow_checks = texts_of(transaction.run(read_narrow_checks, {oid}));
            facts.rules = texts_of(transaction.run(read_rules, {oid}));
            facts.triggers = texts_of(transaction.run(read_triggers, {oid}));
            if (facts.ours) {
                read_own_triggers(transaction, oid, facts);
            }
            const Result tables = transaction.run(read_tables, {});
            for (int i = 0; i < tables.rows(); ++i) {
                facts.tables.push_back(table_of(tables, i));
            }
        }
        transaction.commit();
    }
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
