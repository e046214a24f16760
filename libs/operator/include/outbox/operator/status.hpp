#pragma once

#include <outbox/postgres/connection.hpp>
#include <outbox/survey/survey.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::verbs {

/// One shard, as the database and the living relays know it.
struct ShardStatus {
    int shard = 0;
    std::optional<std::string> owner; ///< the relay's name; while it is not alive the shard counts as unowned
    bool owner_alive = false;
    std::int64_t epoch = 0;
    std::optional<std::string> owned_since; ///< UTC, as every time here
    std::int64_t backlog = 0;               ///< unsent events
    std::optional<milliseconds> oldest;     ///< age of the oldest of them
    std::int64_t last_batch = 0;
    std::optional<milliseconds> last_batch_age;
    std::int64_t failed = 0;
    std::int64_t blocked_keys = 0;
    std::optional<std::string> stopped;  ///< why
    std::optional<std::string> hindered; ///< why it does not get on at the moment; it tries again by itself
    std::optional<milliseconds> hindered_for;
    std::optional<std::string> slow; ///< what holds it back while it gets on, such as a quota of Kafka's
    std::optional<milliseconds> slow_for;
    bool paused = false; ///< itself, or everything
    bool quiet = false;  ///< paused, and nothing is in flight

    /// "running", "recovering", "pausing", "quiet", "unowned" or "stopped"; the worst that is true.
    [[nodiscard]] const char* state() const;
};

/// A relay that is alive.
struct RelayStatus {
    std::string name;
    std::string id;
    std::int64_t shards = 0;
    std::string started_at;
    milliseconds heartbeat_age{0};
};

/// Something that an operator has paused, by whom and why.
struct PauseStatus {
    std::string scope; ///< all, topic or shard
    std::string name;
    std::string who;
    std::optional<std::string> why;
    std::string since;
};

/// What is too much; the user's.
struct Limits {
    std::optional<std::chrono::seconds> max_age; ///< of the oldest unsent event
    std::int64_t max_failed = 999;
};

/// A topic that takes nothing, as the living relays see it.
struct OutageStatus {
    std::string topic;
    std::string since;
    milliseconds lasts{0};
    std::string reason;      ///< and what to type
    bool given_up = false;   ///< its events are FAILED, else they wait
    std::int64_t relays = 0; ///< that see it so
};

/// All that `status` shows, at one moment.
struct Status {
    std::string outbox;
    std::optional<std::string> name;    ///< none before the first start
    std::optional<std::string> cluster; ///< none before the first start
    std::vector<ShardStatus> shards;    ///< none before the first start
    std::int64_t backlog = 0;           ///< unsent events, also before there are shards
    std::int64_t failed = 0;
    std::vector<RelayStatus> relays; ///< those that are alive
    std::vector<PauseStatus> pauses;
    std::vector<OutageStatus> outages;
    std::vector<std::string> alarms;       ///< what somebody must see to, beside the shards; a line each
    std::vector<survey::Finding> findings; ///< about the database, the worst first
    bool hidden = false;                   ///< rows are hidden from this role, so only the findings are known

    /// Every shard has a living owner, none is stopped or hindered, no topic that events wait for takes
    /// nothing, and there is no alarm.
    [[nodiscard]] bool healthy() const;
};

/// An alarm for each limit that is exceeded, which names it.
std::vector<std::string> alarms_of(const std::vector<ShardStatus>& shards, const Limits& limits);

/// One snapshot. What it costs grows with the events that are not sent, not with those that are.
Status read_status(postgres::Connection& connection, const Limits& limits = {});

/// For people: aligned columns.
std::string to_table(const Status& status);
/// For programs: one document.
std::string to_json(const Status& status);

} // namespace outbox::verbs
