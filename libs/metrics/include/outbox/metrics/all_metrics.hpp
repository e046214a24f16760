#pragma once

#include <outbox/metrics/metric.hpp>

#include <array>

/// Every metric there is: its name, labels and help stand here and nowhere else. docs/metrics.md is made of
/// it.
namespace outbox::metrics {

///@{
/// Of a relay: what became of events.

inline constexpr Metric events_total{
    "outbox_events_total", Type::counter, "outcome=sent|failed|skipped|retried|dead_lettered",
    "Events by what became of them. sent: Kafka has committed them; failed: given up, the row is FAILED; "
    "skipped: on_before_publish did not want them sent; retried: refused, and tried again; dead_lettered: "
    "copied to the dead-letter topic. What recovery finds sent counts in outbox_recovered_events_total."};
inline constexpr Metric delivery_latency_seconds{"outbox_delivery_latency_seconds", Type::histogram, "",
                                                 "Time from created_at of an event to the commit of the "
                                                 "Kafka transaction that it went with, by the clocks "
                                                 "of the database and of this machine.",
                                                 duration_buckets};
inline constexpr Metric claim_duration_seconds{
    "outbox_claim_duration_seconds", Type::histogram, "",
    "Time of one claim of new events in PostgreSQL, its commit included.", duration_buckets};
inline constexpr Metric mark_duration_seconds{
    "outbox_mark_duration_seconds", Type::histogram, "",
    "Time of the statements that mark sent events SENT in PostgreSQL; the commit is shared with a claim.",
    duration_buckets};
inline constexpr Metric kafka_transaction_duration_seconds{
    "outbox_kafka_transaction_duration_seconds", Type::histogram, "outcome=committed|aborted|unknown",
    "Time of one Kafka transaction from its begin to the answer of its end. unknown: no answer came, and "
    "recovery finds out.",
    duration_buckets};
inline constexpr Metric transaction_events{"outbox_transaction_events", Type::histogram, "",
                                           "Events in one committed Kafka transaction.", size_buckets};
///@}

///@{
/// Of a relay: the table, as far as this relay's shards go. Read from the database while somebody scrapes.

inline constexpr Metric waiting_events{
    "outbox_waiting_events", Type::gauge, "shard",
    "Unsent events of a shard of this relay. It counts no further than 100000: that value means that many or "
    "more."};
inline constexpr Metric oldest_event_age_seconds{
    "outbox_oldest_event_age_seconds", Type::gauge, "shard",
    "Age of the oldest unsent event of a shard of this relay; 0: there is none."};
inline constexpr Metric failed_events{"outbox_failed_events", Type::gauge, "",
                                      "FAILED events of this relay's shards that nobody has settled. It "
                                      "counts no further than 100000 a shard."};
inline constexpr Metric blocked_keys{"outbox_blocked_keys", Type::gauge, "",
                                     "Keys of this relay's shards whose later events wait for an earlier "
                                     "one. It counts no further than 100000 "
                                     "a shard."};
inline constexpr Metric xmin_age_seconds{"outbox_xmin_age_seconds", Type::gauge, "",
                                         "Age of the oldest transaction that is open in this database, as "
                                         "far as the relay's role may see: it keeps "
                                         "dead rows from being removed. Of other roles' it sees those of "
                                         "members of pg_monitor only when it is one "
                                         "itself."};
inline constexpr Metric database_age_seconds{
    "outbox_database_sample_age_seconds", Type::gauge, "",
    "How old the values of outbox_waiting_events, outbox_oldest_event_age_seconds, outbox_failed_events, "
    "outbox_blocked_keys and outbox_xmin_age_seconds are. It grows while the database does not answer."};
inline constexpr Metric database_connections{"outbox_database_connections", Type::gauge, "",
                                             "Connections with PostgreSQL that this process has open."};
///@}

///@{
/// Of a relay: its shards.

inline constexpr Metric shard_state{
    "outbox_shard_state", Type::gauge,
    "shard, state=fencing|reading|settling|working|resting|releasing|backing_off|stopped|unowned",
    "1 for what the loop of a shard does in this relay, 0 for everything else; a shard that is another "
    "relay's "
    "is not there."};
inline constexpr Metric shard_epoch{"outbox_shard_epoch", Type::gauge, "shard",
                                    "Epoch under which this relay owns a shard; each take-over begins one."};
inline constexpr Metric shards_owned{"outbox_shards_owned", Type::gauge, "",
                                     "Shards that this relay owns now."};
inline constexpr Metric shards{
    "outbox_shards", Type::gauge, "",
    "Shards of the whole outbox; it is not there before the relay knows its database."};
inline constexpr Metric takeovers_total{
    "outbox_takeovers_total", Type::counter, "",
    "Times that this relay took a shard under a new epoch: from another relay, for the first time, or anew "
    "because it recovers."};
inline constexpr Metric lease_expired_total{
    "outbox_lease_expired_total", Type::counter, "",
    "Times that this relay found a shard whose owner was dead, and went to take it."};
inline constexpr Metric recoveries_total{"outbox_recoveries_total", Type::counter, "",
                                         "Recoveries that were begun because something failed or it was in "
                                         "doubt what was sent; those of a pipeline "
                                         "count once."};
inline constexpr Metric recovered_events_total{
    "outbox_recovered_events_total", Type::counter, "as=sent|reset|gone",
    "Events that recoveries settled. sent: Kafka has them; reset: it has not, and they are sent again; gone: "
    "their records are gone with their topic, and they are FAILED."};
inline constexpr Metric order_violations_total{
    "outbox_order_violations_total", Type::counter, "",
    "Times that outbox_events.seq was found to give out numbers again, so that the order of a key's events "
    "may "
    "be broken. It must stay 0. Looked for at each start, at each new session with the database and once a "
    "minute."};
inline constexpr Metric shard_breaker_open{
    "outbox_shard_breaker_open", Type::gauge, "shard",
    "1 while a shard of this relay waits before its next recovery, because the last one failed."};
inline constexpr Metric control_topic_lag{
    "outbox_control_topic_lag", Type::gauge, "shard",
    "Manifests of the control topic that a recovery of the shard would read at this moment."};
inline constexpr Metric paused{"outbox_paused", Type::gauge, "scope=shard|topic",
                               "Shards and topics that an operator has paused, in the whole outbox."};
inline constexpr Metric breaker_open{
    "outbox_breaker_open", Type::gauge, "topic",
    "1 while a topic takes nothing and its events wait or are given up; a topic that takes records is not "
    "there. Beyond 100 topics the others are counted together as topic=\"(others)\"."};
inline constexpr Metric server_waits_total{
    "outbox_server_waits_total", Type::counter, "",
    "Times that the relay as a whole waited because PostgreSQL or Kafka was away or refused it."};
///@}

///@{
/// Of the server.

inline constexpr Metric http_requests_total{
    "outbox_http_requests_total", Type::counter, "route, method, status",
    "Requests that were answered, by the pattern of their route, never their path. A request for no route "
    "has "
    "route=\"(none)\", one that was refused before it was read has method=\"(none)\" too."};
inline constexpr Metric http_request_duration_seconds{
    "outbox_http_request_duration_seconds", Type::histogram, "route, method",
    "Time from a request's arrival to its answer.", duration_buckets};
inline constexpr Metric http_requests_in_flight{"outbox_http_requests_in_flight", Type::gauge, "",
                                                "Requests that were read and have no answer yet."};
inline constexpr Metric http_queue_length{"outbox_http_queue_length", Type::gauge, "",
                                          "Requests that wait for a database worker."};
inline constexpr Metric database_connection_wait_seconds{
    "outbox_database_connection_wait_seconds", Type::histogram, "",
    "Time that a worker waited for a connection with PostgreSQL, a new login included.", duration_buckets};
///@}

///@{
/// Of every program.

inline constexpr Metric build_info{"outbox_build_info", Type::gauge, "version, revision, librdkafka, libpq",
                                   "1; its labels say which build runs, with which libraries."};
inline constexpr Metric process_cpu_seconds_total{"process_cpu_seconds_total", Type::counter, "",
                                                  "Processor time that the process has used."};
inline constexpr Metric process_resident_memory_bytes{"process_resident_memory_bytes", Type::gauge, "",
                                                      "Memory of the process that is resident."};
inline constexpr Metric process_open_fds{"process_open_fds", Type::gauge, "",
                                         "File descriptors that the process has open."};
inline constexpr Metric process_max_fds{"process_max_fds", Type::gauge, "",
                                        "File descriptors that the process may have open."};
inline constexpr Metric process_start_time_seconds{"process_start_time_seconds", Type::gauge, "",
                                                   "When the process started, in seconds since 1970."};
///@}

/// A part of docs/metrics.md.
struct Section {
    std::string_view title;
    std::span<const Metric* const> metrics;
};

/// All of them, in the order of the page.
std::span<const Section> all_sections();

} // namespace outbox::metrics
