// Triggers of ours that do not fire. Whoever loads much data switches triggers off, and forgets to
// switch them on again: nothing fails then, and something is missing.

#include "triggers.hpp"

#include <outbox/store/sql/survey.hpp>

#include <fmt/format.h>

namespace outbox::survey {
namespace {

namespace sql = store::sql;
using postgres::Result;

/// What comes of it when the trigger does not fire.
const char* without(const std::string& trigger) {
    if (trigger == "outbox_doorbell") {
        return "nobody wakes a relay that sleeps, and it finds new events when it looks by itself";
    }
    if (trigger == "outbox_refuse_old_owner") {
        return "a relay from before slots may take shards beside newer ones, and events would be sent twice";
    }
    return trigger == "outbox_refuse_change"
               ? "an event may be changed while it is being sent, and nobody can tell what consumers got"
               : "a relay of version 0.1 may begin beside newer ones, and events would be sent twice";
}

} // namespace

void read_own_triggers(postgres::Transaction& transaction, const std::string& oid, Facts& facts) {
    const Result silent = transaction.run(sql::survey_silent_triggers, {oid});
    for (int i = 0; i < silent.rows(); ++i) {
        facts.silent_triggers.push_back({silent.text(i, 0), silent.boolean(i, 1), silent.text(i, 2)});
    }
    const Result lacks = transaction.run(sql::survey_doorbell_lacks, {oid});
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
