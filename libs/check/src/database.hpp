#pragma once

#include "grants.hpp"
#include "outbox/check/line.hpp"

#include <outbox/core/uuid.hpp>
#include <outbox/survey/survey.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outbox::check {

/// What ALTER ROLE or ALTER DATABASE has set for the sessions of this role.
struct OwnSetting {
    std::string name;
    std::string value;
    std::string whom; ///< "ROLE relay IN DATABASE shop"
};

/// The server that answers, and this role in it.
struct ServerFacts {
    std::string version;
    int version_number = 0;
    bool standby = false;
    bool pooled = false;
    std::optional<std::string> tls; ///< its version; nullopt: the connection is not encrypted
    std::string role;
    std::string database;
    std::int64_t clock_ahead_ms = 0; ///< the database's clock, of this machine's
    std::int64_t clock_doubt_ms = 0; ///< by which that may be wrong
    int connection_limit = -1;       ///< of the role; -1: none
    int sessions = 0;                ///< that the role has
    std::map<std::string, std::string> settings = {};
    std::vector<OwnSetting> own_settings = {};
};

/// Whose outbox it is.
struct IdentityFacts {
    Uuid outbox_id;
    std::optional<std::string> name = {};       ///< none before the first relay
    std::optional<std::string> cluster_id = {}; ///< none before the first relay
    int shard_count = 0;                        ///< 0 before the first relay
    bool has_sent = false;
};

/// Where unsent events go.
struct UnsentEvents {
    std::string topic;
    std::string aggregate_type;
    std::string event_type;
    std::int64_t events = 0;
    std::optional<std::int64_t> oldest_ms = {};
};

/// What libpq says of a connection that did not come about, as the line of TLS or of the login.
std::vector<Line> judge_login(const std::string& why);

/// Version, primary, pooler, clock, settings of the server and of the role.
std::vector<Line> judge_server(const ServerFacts& facts, Needs needs);

/// @param schema_flaw  what check_schema() says; empty: nothing
Line judge_migrations(const std::string& schema_flaw, int version);

/// Whether the outbox goes by the name that the program was given.
Line judge_identity(const std::optional<IdentityFacts>& identity, const std::string& name);

Line judge_grants(const std::vector<Grant>& missing, const std::string& role);

/// Encoding, row security, the table, triggers and numbering: a line for each finding, and one for each
/// matter without any.
std::vector<Line> judge_survey(const survey::Facts& facts);

} // namespace outbox::check
