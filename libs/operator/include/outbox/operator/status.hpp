#pragma once

#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::verbs {

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
    std::optional<std::string> stopped; ///< why
    bool paused = false;                ///< itself, or everything
    bool quiet = false;                 ///< paused, and nothing is in flight

    [[nodiscard]] const char* state() const;
};

struct RelayStatus {
    std::string name;
    std::string id;
    std::int64_t shards = 0;
    std::string started_at;
    milliseconds heartbeat_age{0};
};

struct PauseStatus {
    std::string scope; ///< all, topic or shard
    std::string name;
    std::string who;
    std::optional<std::string> why;
    std::string since;
};

struct Status {
    std::string outbox;
    std::optional<std::string> name;    ///< none before the first start
    std::optional<std::string> cluster; ///< none before the first start
    std::vector<ShardStatus> shards;
    std::vector<RelayStatus> relays; ///< those that are alive
    std::vector<PauseStatus> pauses;

    /// Every shard has a living owner and none is stopped.
    [[nodiscard]] bool healthy() const;
};

/// One snapshot. What it costs grows with the events that are not sent, not with those that are.
Status read_status(postgres::Connection& connection);

/// For people: aligned columns.
std::string to_table(const Status& status);
/// For programs: one document.
std::string to_json(const Status& status);

} // namespace outbox::verbs
