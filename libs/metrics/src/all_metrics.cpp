#include "outbox/metrics/all_metrics.hpp"

namespace outbox::metrics {
namespace {

constexpr std::array relay_events{&events_total,           &delivery_latency_seconds,
                                  &claim_duration_seconds, &mark_duration_seconds,
                                  &transaction_events,     &kafka_transaction_duration_seconds};
constexpr std::array relay_table{&waiting_events,      &oldest_event_age_seconds, &failed_events,
                                 &blocked_keys,        &xmin_age_seconds,         &database_age_seconds,
                                 &database_connections};
constexpr std::array relay_shards{&shard_state,
                                  &shard_epoch,
                                  &shards_owned,
                                  &shards,
                                  &takeovers_total,
                                  &lease_expired_total,
                                  &recoveries_total,
                                  &recovered_events_total,
                                  &order_violations_total,
                                  &shard_breaker_open,
                                  &control_topic_lag,
                                  &paused,
                                  &breaker_open,
                                  &server_waits_total};
constexpr std::array server{&http_requests_total, &http_request_duration_seconds, &http_requests_in_flight,
                            &http_queue_length, &database_connection_wait_seconds};
constexpr std::array everywhere{&build_info,       &process_cpu_seconds_total, &process_resident_memory_bytes,
                                &process_open_fds, &process_max_fds,           &process_start_time_seconds};

constexpr std::array sections = std::to_array<Section>({
    {"The relay: events", relay_events},
    {"The relay: the table", relay_table},
    {"The relay: shards", relay_shards},
    {"The server", server},
    {"Every program", everywhere},
});

} // namespace

std::string_view name_of(Type type) {
    constexpr std::array<std::string_view, 3> names{"counter", "gauge", "histogram"};
    return names.at(static_cast<std::size_t>(type));
}

std::span<const Section> all_sections() {
    return sections;
}

} // namespace outbox::metrics
