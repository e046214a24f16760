// An event that is given up goes to the dead-letter topic as it would have been sent, with the headers
// that Kafka Connect gives a dead letter, so that tools for those can read it. It travels in an
// ordinary batch, whose manifest says so: a relay that dies in between finds out like for any other
// event.
#include "batch/batch_builder.hpp"
#include "outbox/messages/headers.hpp"

#include <outbox/core/text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace outbox::relay {
namespace {

/// The headers, in the order in which readers expect them at the end of the record.
void add_error_headers(delivery::Batch& batch, kafka::Record& record, const delivery::Refusal& refusal,
                       const std::string& name, int shard) {
    const std::array<std::string_view, messages::headers::dead_letter.size()> values{
        record.topic,
        batch.arena.keep(std::to_string(record.partition)), // -1: the topic has none
        "-1",                                               // it never got one
        batch.arena.keep(name),
        batch.arena.keep(std::to_string(shard)),
        refusal.code == 0 ? "TRANSFORMATION" : "KAFKA_PRODUCE",
        messages::headers::error_class_here,
        batch.arena.keep(refusal.code == 0 ? "std::exception" : kafka::exception_class(refusal.code)),
        batch.arena.keep(refusal.reason)};
    for (std::size_t i = 0; i < values.size(); ++i) {
        record.headers.push_back({messages::headers::dead_letter.at(i), values.at(i)});
    }
}

/// By this machine's clock, since the Unix epoch.
std::int64_t now_ms() {
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

} // namespace

/// Puts the row's dead letter into the batch, whose mark then writes `attempt`.
/// @return false when it has to do without: `attempt` says why, and waits where that will pass.
bool BatchBuilder::dead_letter(delivery::Batch& batch, const store::Row& row, kafka::Record record,
                               const delivery::Refusal& refusal, store::FailedAttempt& attempt,
                               Deadline deadline) {
    constexpr milliseconds leader_wait{1'000};
    const delivery::TopicVerdict& verdict = verdict_for(options_.dead_letter_topic, deadline);
    // While letters cannot be sent the event waits for one, unless its key is no text and cannot
    // wait.
    if (verdict.kind == delivery::TopicVerdict::Kind::parked && is_storable(row.key)) {
        attempt.give_up = false;
        attempt.block_key = false;
        attempt.retry_count = row.retry_count; // this attempt counts once it has ended
        attempt.wait = leader_wait;
        attempt.error += "; its dead letter waits: " + verdict.reason;
        return false;
    }
    record.timestamp_ms = messages::stamp_for(record.timestamp_ms, now_ms(), verdict.limits).ms;
    messages::say_time(*options_.messages.encoder, row, batch.arena, record);
    add_error_headers(batch, record, refusal, options_.name, row.bucket % shard_count_);
    record.topic = options_.dead_letter_topic;
    std::string why;
    if (const auto* const blame = blame_of(blamed_, row)) {
        why = blame->no_dead_letter;
    }
    if (why.empty() && exceeds(record, verdict)) {
        verdict_afresh(options_.dead_letter_topic, deadline);
    }
    if (const auto unfit = unfit_for(record, verdict, compressed_); why.empty() && unfit) {
        why = unfit->reason;
    }
    if (!why.empty()) {
        attempt.error += "; not in the dead-letter topic: " + why;
        return false;
    }
    // A strategy that cannot read the event must not cost it its letter.
    const auto chosen = partition_of(row, record, verdict);
    record.partition = chosen ? *chosen
                              : *partition::HashPartitionStrategy().choose(
                                    {record.key, record.topic, row.event_type}, verdict.partitions);
    batch.records.push_back(std::move(record));
    batch.dead_letters[row.seq] = attempt;
    return true;
}

} // namespace outbox::relay
