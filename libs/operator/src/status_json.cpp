// `status --json`: names and units that scripts rely on, documented in docs/operations.md. Nothing is
// left out when it is empty; null says that it is not known.

#include <outbox/operator/status.hpp>

#include <nlohmann/json.hpp>

namespace outbox::verbs {
namespace {

using Json = nlohmann::ordered_json;

/// The text, or null.
Json json_of(const std::optional<std::string>& text) {
    return text ? Json(*text) : Json(nullptr);
}

/// A span in seconds, with fractions, or null.
Json seconds_of(const std::optional<milliseconds>& span) {
    return span ? Json(static_cast<double>(span->count()) / 1000) : Json(nullptr);
}

Json json_of(const ShardStatus& shard) {
    return {{"shard", shard.shard},
            {"state", shard.state()},
            {"owner", json_of(shard.owner)},
            {"owner_alive", shard.owner_alive},
            {"epoch", shard.epoch},
            {"owned_since", json_of(shard.owned_since)},
            {"backlog", shard.backlog},
            {"oldest_seconds", seconds_of(shard.oldest)},
            {"last_batch", shard.last_batch},
            {"last_batch_seconds_ago", seconds_of(shard.last_batch_age)},
            {"failed", shard.failed},
            {"blocked_keys", shard.blocked_keys},
            {"paused", shard.paused},
            {"stopped", json_of(shard.stopped)},
            {"recovering", json_of(shard.hindered)},
            {"recovering_seconds", seconds_of(shard.hindered_for)},
            {"slow", json_of(shard.slow)},
            {"slow_seconds", seconds_of(shard.slow_for)}};
}

} // namespace

std::string to_json(const Status& status) {
    Json document{
        {"outbox", status.outbox},     {"name", json_of(status.name)}, {"cluster", json_of(status.cluster)},
        {"healthy", status.healthy()}, {"alarms", status.alarms},      {"backlog", status.backlog},
        {"failed", status.failed},     {"shards", Json::array()},      {"relays", Json::array()},
        {"pauses", Json::array()},     {"findings", Json::array()},    {"outages", Json::array()}};
    for (const ShardStatus& shard : status.shards) {
        document["shards"].push_back(json_of(shard));
    }
    for (const RelayStatus& relay : status.relays) {
        document["relays"].push_back({{"name", relay.name},
                                      {"relay", relay.id},
                                      {"shards", relay.shards},
                                      {"started_at", relay.started_at},
                                      {"heartbeat_seconds_ago", seconds_of(relay.heartbeat_age)}});
    }
    for (const PauseStatus& pause : status.pauses) {
        document["pauses"].push_back({{"scope", pause.scope},
                                      {"name", pause.name},
                                      {"who", pause.who},
                                      {"why", json_of(pause.why)},
                                      {"since", pause.since}});
    }
    for (const survey::Finding& finding : status.findings) {
        document["findings"].push_back({{"severity", survey::name_of(finding.severity)},
                                        {"object", finding.object},
                                        {"what", finding.what},
                                        {"mend", finding.mend}});
    }
    for (const OutageStatus& outage : status.outages) {
        document["outages"].push_back({{"topic", outage.topic},
                                       {"since", outage.since},
                                       {"seconds", seconds_of(outage.lasts)},
                                       {"reason", outage.reason},
                                       {"events", outage.given_up ? "given up" : "wait"},
                                       {"relays", outage.relays}});
    }
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace outbox::verbs
