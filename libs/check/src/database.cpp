// What the database's facts mean for a program that is to work with it. Nothing is asked here. Whatever the
// relay itself refuses or tells comes from the survey, which the relay asks as well.

#include "database.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace outbox::check {
namespace {

constexpr int oldest_postgres = 140'000;
constexpr std::int64_t clock_warns_ms = 2'000;
constexpr std::int64_t clock_fails_ms = 3'600'000; ///< Kafka refuses records from so far in the future
constexpr int sessions_needed = 6;                 ///< of a relay with one pipeline, and some room

std::string value_of(const ServerFacts& facts, const std::string& name) {
    const auto found = facts.settings.find(name);
    return found == facts.settings.end() ? "" : found->second;
}

Line judge_version(const ServerFacts& facts) {
    if (facts.version_number < oldest_postgres) {
        return {"postgres version", Status::fail,
                fmt::format("PostgreSQL {}, and the outbox needs 14 or later", facts.version),
                "upgrade the server, or let DB_HOST name another"};
    }
    return {"postgres version", Status::ok, "PostgreSQL " + facts.version};
}

Line judge_primary(const ServerFacts& facts) {
    return facts.standby
               ? Line{"postgres primary", Status::fail, "this server is a standby, which takes no changes",
                      "let DB_HOST and DB_PORT name the primary"}
               : Line{"postgres primary", Status::ok, "it is a primary"};
}

Line judge_pooler(const ServerFacts& facts, Needs needs) {
    if (!facts.pooled) {
        return {"postgres pooler", Status::ok, "none is between"};
    }
    if (needs == Needs::server) {
        return {"postgres pooler", Status::ok, "a connection pooler is between, which does here"};
    }
    return {
        "postgres pooler", Status::fail,
        "a connection pooler (such as PgBouncer) is between, and this program needs sessions of its own, for "
        "advisory locks, LISTEN and SET",
        "let DB_HOST and DB_PORT name PostgreSQL itself"};
}

Line judge_clock(const ServerFacts& facts) {
    const std::int64_t ahead = std::abs(facts.clock_ahead_ms) - facts.clock_doubt_ms;
    const auto message = fmt::format("the database's clock is {:.1f} s {} this machine's",
                                     static_cast<double>(std::abs(facts.clock_ahead_ms)) / 1000,
                                     facts.clock_ahead_ms < 0 ? "behind" : "ahead of");
    if (ahead < clock_warns_ms) {
        return {"clock", Status::ok, message + "; brokers do not tell theirs"};
    }
    return {"clock", ahead < clock_fails_ms ? Status::warn : Status::fail,
            message + ": created_at is by the first, and brokers refuse records from an hour in the future",
            "timedatectl set-ntp true, on both machines"};
}

/// What makes a server lose what it has acknowledged.
std::vector<Line> judge_durability(const ServerFacts& facts) {
    std::vector<Line> lines;
    for (const char* name : {"fsync", "full_page_writes"}) {
        const auto line = std::string("postgres ") + name;
        if (value_of(facts, name) == "off") {
            lines.push_back({line, Status::warn,
                             fmt::format("{} is off: a crash of the server may lose or spoil what it has "
                                         "acknowledged, and then events are lost or sent twice",
                                         name),
                             fmt::format("ALTER SYSTEM SET {} = on; SELECT pg_reload_conf();", name)});
        } else {
            lines.push_back({line, Status::ok, std::string(name) + " is " + value_of(facts, name)});
        }
    }
    const auto commit = value_of(facts, "synchronous_commit");
    const auto set = std::ranges::find(facts.own_settings, "synchronous_commit", &OwnSetting::name);
    if (commit == "off") {
        lines.push_back(
            {"postgres synchronous_commit", Status::warn,
             "synchronous_commit is off: relays set it on for themselves, and writers' events may vanish "
             "when the server crashes",
             set == facts.own_settings.end()
                 ? "ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();"
                 : fmt::format("ALTER {} RESET synchronous_commit;", set->whom)});
    } else {
        lines.push_back({"postgres synchronous_commit", Status::ok, "synchronous_commit is " + commit});
    }
    return lines;
}

/// What of a role's own settings has to do with this program; each is overruled by sessions of its own.
constexpr std::array watched{"statement_timeout",
                             "lock_timeout",
                             "transaction_timeout",
                             "search_path",
                             "idle_session_timeout",
                             "idle_in_transaction_session_timeout",
                             "default_transaction_read_only",
                             "default_transaction_isolation",
                             "row_security"};

std::vector<Line> judge_role(const ServerFacts& facts) {
    std::vector<Line> lines;
    for (const OwnSetting& own : facts.own_settings) {
        if (std::ranges::find(watched, own.name) == watched.end()) {
            continue;
        }
        lines.push_back({"role settings", Status::warn,
                         fmt::format("{} has {} = {}: this program's sessions set their own, and psql's and "
                                     "other programs' as this role do not",
                                     own.whom, own.name, own.value),
                         fmt::format("ALTER {} RESET {};", own.whom, own.name)});
    }
    if (lines.empty()) {
        lines.push_back({"role settings", Status::ok,
                         fmt::format("role {} has no time limit and no search_path of its own", facts.role)});
    }
    const int left = facts.connection_limit - facts.sessions;
    if (facts.connection_limit >= 0 && left < sessions_needed) {
        lines.push_back({"role connections", Status::warn,
                         fmt::format("role {} may have {} sessions and has {} now, this one included",
                                     facts.role, facts.connection_limit, facts.sessions),
                         fmt::format("ALTER ROLE {} CONNECTION LIMIT -1;", facts.role)});
    }
    return lines;
}

bool about_tls(const std::string& why) {
    return std::ranges::any_of(std::array{"SSL", "TLS", "certificate"},
                               [&](const char* word) { return why.find(word) != std::string::npos; });
}

/// The matters of the survey, and by which words its findings begin. The last takes the rest.
struct Matter {
    const char* name;
    const char* fine;
    bool (*about)(const survey::Finding&);
};

bool begins(const survey::Finding& finding, std::string_view word) {
    return finding.object.starts_with(word);
}

bool says(const survey::Finding& finding, std::string_view words) {
    return finding.what.find(words) != std::string::npos;
}

constexpr std::array matters{
    Matter{"encoding", "UTF8, or what fits into it",
           [](const survey::Finding& finding) { return says(finding, "is encoded as"); }},
    Matter{"row security", "no row is hidden",
           [](const survey::Finding& finding) { return says(finding, "row-level security"); }},
    Matter{"triggers", "those of the outbox are enabled, and nobody else's are there",
           [](const survey::Finding& finding) {
               return begins(finding, "trigger ") || says(finding, "session_replication_role");
           }},
    Matter{"numbering", "seq is an identity that gives one number after the other (CACHE 1)",
           [](const survey::Finding& finding) {
               return begins(finding, "column seq ") || begins(finding, "event ") ||
                      finding.mend.starts_with("ALTER SEQUENCE") || says(finding, "below event");
           }},
    Matter{"table", "outbox_events is as the relay needs it", [](const survey::Finding&) { return true; }}};

} // namespace

std::vector<Line> judge_login(const std::string& why) {
    if (about_tls(why)) {
        return {{"database tls", Status::fail, why,
                 "look at PGSSLMODE, PGSSLROOTCERT, PGSSLCERT and PGSSLKEY, and at the server's pg_hba.conf"},
                {"database login", Status::skip, "there is no secure connection"}};
    }
    const bool missing = why.find("outbox-migrate up creates it") != std::string::npos;
    return {{"database login", Status::fail, why,
             missing ? "outbox-migrate up"
                     : "look at DB_HOST, DB_PORT, DB_USER, DB_NAME and DB_PASSWORD (or DB_PASSWORD_FILE)"}};
}

std::vector<Line> judge_server(const ServerFacts& facts, Needs needs) {
    std::vector<Line> lines{
        {"database tls", Status::ok,
         facts.tls ? "the connection is encrypted (" + *facts.tls + ")"
                   : "the connection is not encrypted; PGSSLMODE=verify-full asks for it"},
        {"database login", Status::ok, fmt::format("role {} in database {}", facts.role, facts.database)},
        judge_version(facts),
        judge_primary(facts),
        judge_pooler(facts, needs)};
    for (auto& more : {judge_durability(facts), judge_role(facts)}) {
        lines.insert(lines.end(), more.begin(), more.end());
    }
    lines.push_back(judge_clock(facts));
    return lines;
}

/// Its own words name what to type.
Line judge_migrations(const std::string& schema_flaw, int version) {
    if (schema_flaw.empty()) {
        return {"migrations", Status::ok, fmt::format("the outbox is at version {}", version)};
    }
    constexpr std::string_view types = ": type ";
    const auto at = schema_flaw.find(types);
    if (at == std::string::npos) {
        return {"migrations", Status::fail, schema_flaw, "outbox-migrate up"};
    }
    return {"migrations", Status::fail, schema_flaw.substr(0, at), schema_flaw.substr(at + types.size())};
}

Line judge_identity(const std::optional<IdentityFacts>& identity, const std::string& name) {
    if (!identity) {
        return {"identity", Status::fail,
                "outbox_meta is empty: somebody deleted its row, which says who this outbox is",
                "INSERT INTO outbox_meta (outbox_id, name, cluster_id, shard_count) VALUES (outbox, name, "
                "cluster, "
                "shards); as a relay's log has them in its line 'relay starts'"};
    }
    if (identity->name && *identity->name != name) {
        return {"identity", Status::fail,
                fmt::format("this database's outbox goes by the name {}, and OUTBOX_NAME is {}",
                            *identity->name, name),
                "OUTBOX_NAME=" + *identity->name};
    }
    return {"identity", Status::ok,
            fmt::format("outbox {}{}", identity->outbox_id.to_string(),
                        identity->name ? " named " + name : ", which no relay has served yet")};
}

Line judge_grants(const std::vector<Grant>& missing, const std::string& role) {
    if (missing.empty()) {
        return {"grants", Status::ok, fmt::format("role {} has all that this program needs", role)};
    }
    std::string list;
    for (const Grant& grant : missing) {
        list += fmt::format("{}{}{} on {}", list.empty() ? "" : ", ", grant.privilege,
                            grant.column.empty() ? "" : " (" + grant.column + ")", grant.relation);
    }
    return {"grants", Status::fail, fmt::format("role {} lacks {}", role, list),
            grant_statements(missing, role)};
}

std::vector<Line> judge_survey(const survey::Facts& facts) {
    const auto findings = survey::judge(facts);
    std::vector<Line> lines;
    std::vector<bool> told(findings.size());
    for (const Matter& matter : matters) {
        bool fine = true;
        for (std::size_t i = 0; i < findings.size(); ++i) {
            const survey::Finding& finding = findings[i];
            if (told[i] || !matter.about(finding)) {
                continue;
            }
            told[i] = true;
            fine = false;
            lines.push_back({matter.name,
                             finding.severity == survey::Severity::warn ? Status::warn : Status::fail,
                             finding.object + " " + finding.what, finding.mend});
        }
        if (fine) {
            lines.push_back({matter.name, Status::ok, matter.fine});
        }
    }
    return lines;
}

} // namespace outbox::check
