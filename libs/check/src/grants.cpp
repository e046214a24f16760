// The rights that a program needs. deploy/postgres/roles.sql grants the same, which a test compares by
// running the check as the roles that it makes.

#include "grants.hpp"

#include <fmt/format.h>

#include <map>
#include <string_view>

namespace outbox::check {
namespace {

/// Privileges on one relation; columns separated by blanks stand for UPDATE or SELECT of them alone.
struct Right {
    std::string_view relation;
    std::string_view privileges;
    std::string_view columns = {};
};

constexpr Right of_relay[] = {
    {"outbox_events", "SELECT"},
    {"outbox_events", "UPDATE",
     "status processed_at retry_count error_message next_attempt_at kafka_partition kafka_offset"},
    {"outbox_meta", "SELECT UPDATE"},
    {"outbox_shards", "SELECT INSERT UPDATE"},
    {"outbox_relays", "SELECT INSERT UPDATE DELETE"},
    {"outbox_slots", "SELECT INSERT UPDATE DELETE"},
    {"outbox_blocked_keys", "SELECT INSERT DELETE"},
    {"outbox_blocked_keys", "UPDATE", "failed_seq"},
    {"outbox_pauses", "SELECT"},
    {"outbox_captures", "SELECT"},
    {"outbox_topic_outages", "SELECT INSERT UPDATE DELETE"},
    {"outbox_topics", "SELECT INSERT"},
    {"outbox_lost_markers", "SELECT INSERT DELETE"},
};

constexpr Right of_server[] = {
    {"outbox_events", "INSERT"},
    {"users", "SELECT INSERT UPDATE"},
    {"idempotency_keys", "SELECT INSERT UPDATE DELETE"},
};

constexpr Right of_backfill[] = {
    {"outbox_events", "SELECT"},
    {"outbox_meta", "SELECT"},
    {"outbox_shards", "SELECT"},
    {"outbox_relays", "SELECT"},
    {"outbox_pauses", "SELECT"},
    {"outbox_topics", "SELECT"},
    {"outbox_backfills", "SELECT INSERT"},
    {"outbox_backfills", "UPDATE", "published finished_at cancelled_at cancelled_by"},
};

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> all;
    for (auto blank = text.find(' '); blank != std::string_view::npos; blank = text.find(' ')) {
        all.emplace_back(text.substr(0, blank));
        text.remove_prefix(blank + 1);
    }
    all.emplace_back(text);
    return all;
}

template <std::size_t Count>
std::vector<Grant> all_of(const Right (&rights)[Count]) {
    std::vector<Grant> grants;
    for (const Right& right : rights) {
        for (const std::string& privilege : words(right.privileges)) {
            for (const std::string& column : words(right.columns)) {
                grants.push_back({std::string(right.relation), column, privilege});
            }
        }
    }
    return grants;
}

} // namespace

std::vector<Grant> grants_for(Needs needs, const std::string& sequence) {
    auto grants = needs == Needs::relay    ? all_of(of_relay)
                  : needs == Needs::server ? all_of(of_server)
                                           : all_of(of_backfill);
    if (!sequence.empty() && needs != Needs::server) {
        grants.push_back({sequence, "", "SELECT"});
        if (needs == Needs::relay) {
            grants.push_back({sequence, "", "UPDATE"});
        }
    }
    return grants;
}

std::string grant_statements(const std::vector<Grant>& missing, const std::string& role) {
    std::map<std::string, std::map<std::string, std::string>> by_relation; // privilege -> columns
    std::vector<std::string> order;
    for (const Grant& grant : missing) {
        if (!by_relation.contains(grant.relation)) {
            order.push_back(grant.relation);
        }
        auto& columns = by_relation[grant.relation][grant.privilege];
        columns += (columns.empty() || grant.column.empty() ? "" : ", ") + grant.column;
    }
    std::string statements;
    for (const std::string& relation : order) {
        std::string rights;
        for (const auto& [privilege, columns] : by_relation[relation]) {
            rights += rights.empty() ? "" : ", ";
            rights += columns.empty() ? privilege : fmt::format("{} ({})", privilege, columns);
        }
        const bool sequence = relation.ends_with("_seq") || relation.ends_with("_seq\"");
        statements += fmt::format("{}GRANT {} ON {}{} TO {};", statements.empty() ? "" : " ", rights,
                                  sequence ? "SEQUENCE " : "", relation, role);
    }
    return statements;
}

} // namespace outbox::check
