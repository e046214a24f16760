#include "triggers.hpp"

#include <fmt/format.h>

namespace outbox::survey {
namespace {

using postgres::Result;
using postgres::Statement;

// The relays' table has its trigger since the column came that it looks at.
constexpr Statement read_silent{
    "outbox_survey_silent_triggers",
    "SELECT w.name, t.oid IS NOT NULL, format('%I.%I', n.nspname, c.relname)"
    " FROM (VALUES ('outbox_events', 'outbox_doorbell', 'seq'), ('outbox_events', 'outbox_refuse_change', "
    "'seq'),"
    " ('outbox_relays', 'outbox_refuse_old_relay', 'made_for')) AS w(relation, name, column_name)"
    " JOIN pg_class AS e ON e.oid = $1::oid JOIN pg_namespace AS n ON n.oid = e.relnamespace"
    " JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.relation"
    " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.column_name AND NOT a.attisdropped"
    " LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid AND t.tgname = w.name AND NOT t.tgisinternal"
    " WHERE t.oid IS NULL OR t.tgenabled NOT IN ('O', 'A') ORDER BY w.name"};

constexpr Statement read_lacks{
    "outbox_survey_doorbell_lacks",
    "SELECT string_agg(m.statement, ' ') FROM pg_trigger AS t JOIN pg_proc AS f ON f.oid = t.tgfoid"
    " JOIN pg_class AS e ON e.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = e.relnamespace"
    " CROSS JOIN LATERAL (SELECT format('ALTER FUNCTION %s SECURITY DEFINER;', f.oid::regprocedure)"
    " WHERE NOT f.prosecdef"
    " UNION ALL SELECT format('GRANT USAGE ON SCHEMA %I TO %s;', n.nspname, f.proowner::regrole)"
    " WHERE NOT has_schema_privilege(f.proowner, n.oid, 'USAGE')"
    " UNION ALL SELECT format('GRANT SELECT ON %I.%I TO %s;', n.nspname, c.relname, f.proowner::regrole)"
    " FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = 'outbox_meta'"
    " AND NOT has_table_privilege(f.proowner, c.oid, 'SELECT')"
    " UNION ALL SELECT format('GRANT EXECUTE ON FUNCTION %s TO %s;', p.oid::regprocedure, "
    "f.proowner::regrole)"
    " FROM pg_proc AS p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN"
    " ('pg_notify', 'pg_notification_queue_usage', 'pg_try_advisory_xact_lock_shared')"
    " AND NOT has_function_privilege(f.proowner, p.oid, 'EXECUTE') AND p.proargtypes::text <> '20'"
    ") AS m(statement) WHERE t.tgrelid = $1::oid AND t.tgname = 'outbox_doorbell'"};

const char* without(const std::string& trigger) {
    if (trigger == "outbox_doorbell") {
        return "nobody wakes a relay that sleeps, and it finds new events when it looks by itself";
    }
    return trigger == "outbox_refuse_change"
               ? "an event may be changed while it is being sent, and nobody can tell what consumers got"
               : "a relay of version 0.1 may begin beside newer ones, and events would be sent twice";
}

} // namespace

void read_own_triggers(postgres::Transaction& transaction, const std::string& oid, Facts& facts) {
    const Result silent = transaction.run(read_silent, {oid});
    for (int i = 0; i < silent.rows(); ++i) {
        facts.silent_triggers.push_back({silent.text(i, 0), silent.boolean(i, 1), silent.text(i, 2)});
    }
    const Result lacks = transaction.run(read_lacks, {oid});
    facts.doorbell_lacks = lacks.is_null(0, 0) ? "" : lacks.text(0, 0);
}

void judge_own_triggers(const Facts& facts, std::vector<Finding>& findings) {
    for (const SilentTrigger& trigger : facts.silent_triggers) {
        findings.push_back(
            {Severity::warn, fmt::format("trigger {} on {}", trigger.name, trigger.table),
             fmt::format("{}: {}", trigger.stands ? "is disabled" : "is gone", without(trigger.name)),
             trigger.stands ? fmt::format("ALTER TABLE {} ENABLE TRIGGER {};", trigger.table, trigger.name)
                            : mended_by_up,
             false});
    }
    if (!facts.doorbell_lacks.empty()) {
        findings.push_back(
            {Severity::warn, "trigger outbox_doorbell on " + facts.events->name,
             "is mute, because its function may not do what it must: nobody wakes a relay that "
             "sleeps, and it finds new events when it looks by itself",
             facts.doorbell_lacks, false});
    }
}

} // namespace outbox::survey
