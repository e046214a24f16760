// An old event as a message. It looks as the relay made it, but for two headers by which consumers tell
// a repetition: the run's name and the original id. What the topic would refuse is refused here, by the
// event's id, before its transaction begins.

#include "shaper.hpp"

#include <outbox/core/error.hpp>
#include <outbox/messages/headers.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace outbox::backfill {
namespace {

/// By this machine's clock, since the Unix epoch.
std::int64_t now_ms() {
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// @throws Error(stop) naming the event and what to do
[[noreturn]] void refuse(const store::Row& row, std::string_view why) {
    throw Error(Action::stop, fmt::format("event {} cannot be sent again: {}; leave the event out",
                                          row.id.to_string(), why));
}

} // namespace

delivery::TopicVerdict open_topic(delivery::Topics& topics, const std::string& name, Deadline deadline) {
    auto verdict = topics.look_up(name, deadline);
    if (verdict.kind == delivery::TopicVerdict::Kind::open) {
        return verdict;
    }
    const bool passes =
        verdict.code == kafka::leader_not_available || verdict.code == kafka::not_enough_replicas;
    throw Error(passes ? Action::retry : Action::stop, verdict.reason);
}

Shaper::Shaper(const Target& target, std::string run, delivery::Topics& topics)
    : target_(target),
      run_(std::move(run)),
      topics_(topics) {}

const delivery::TopicVerdict& Shaper::verdict_for(std::string_view topic, Deadline deadline) {
    auto found = verdicts_.find(topic);
    if (found == verdicts_.end()) {
        const std::string name(topic);
        found = verdicts_.emplace(name, open_topic(topics_, name, deadline)).first;
    }
    return found->second;
}

kafka::Record Shaper::encode(const store::Row& row, std::string_view topic,
                             const delivery::TopicVerdict& verdict, messages::Arena& arena) const {
    try {
        return messages::make_record(*target_.messages.encoder, row, topic, now_ms(), verdict.limits, arena);
    } catch (const messages::Unencodable& error) {
        refuse(row, error.what());
    }
}

kafka::Record Shaper::shape(delivery::Batch& batch, const store::Row& row, Deadline deadline) {
    const messages::Messages& messages = target_.messages;
    const std::string_view topic =
        target_.topic ? std::string_view(*target_.topic) : messages.topic.topic_of(row, batch.arena);
    const delivery::TopicVerdict& verdict = verdict_for(topic, deadline);
    kafka::Record record = encode(row, topic, verdict, batch.arena);
    if (!target_.original_timestamp) {
        record.timestamp_ms = 0; // now
    }
    // An event that is itself a repetition must not carry the headers of two runs.
    std::erase_if(record.headers, [](const kafka::Header& header) {
        return header.name == messages::headers::replay_id || header.name == messages::headers::original_id;
    });
    record.headers.push_back({messages::headers::replay_id, run_});
    record.headers.push_back({messages::headers::original_id, batch.arena.keep(row.id.to_string())});
    const auto size = static_cast<std::int64_t>(messages::alone_bytes(record));
    if (size > verdict.limits.max_message_bytes) {
        throw Error(
            Action::stop,
            fmt::format(
                "event {} takes {} bytes, topic {} accepts {} (max.message.bytes); raise that, or leave "
                "the event out",
                row.id.to_string(), size, topic, verdict.limits.max_message_bytes));
    }
    const auto partition = partition::choose_partition(
        *messages.strategy, {record.key, topic, row.event_type, row.json(), row.seq}, verdict.partitions);
    if (!partition) {
        refuse(row, "its partition follows from a field that is nested too deeply to be read");
    }
    record.partition = *partition;
    return record;
}

} // namespace outbox::backfill
