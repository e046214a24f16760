// Makes a batch of claimed rows. For each row in order: what does the service's hook make of it, which
// topic does it go to, what does that topic accept, and can the row be a record at all? A row that
// cannot go now keeps the later rows of its key back, in this batch and in the table, because order per
// key is promised. An attempt is spent only on what is the event's own fault, and only on an answer
// that the broker gave now.

#include "batch/batch_builder.hpp"

#include "outbox/delivery/retry_policy.hpp"
#include "outbox/messages/record.hpp"

#include <outbox/core/event.hpp>
#include <outbox/core/json.hpp>
#include <outbox/core/text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <unordered_set>

namespace outbox::relay {
namespace {

/// By this machine's clock, since the Unix epoch.
std::int64_t now_ms() {
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

} // namespace

/// What is known of a topic. Control topics are refused here, before anybody asks the brokers about
/// them.
delivery::TopicVerdict BatchBuilder::ask(const std::string& topic, Deadline deadline,
                                         SteadyClock::time_point not_before) const {
    delivery::TopicVerdict verdict;
    if (left_out_.topics.contains(topic)) {
        verdict.kind = delivery::TopicVerdict::Kind::parked;
        verdict.reason =
            fmt::format("topic {} takes nothing now, or waits for a marker that was lost", topic);
        return verdict;
    }
    if (topic != options_.control_topic() && topic != options_.backfill_topic()) {
        return topics_.look_up(topic, deadline, not_before);
    }
    verdict.kind = delivery::TopicVerdict::Kind::refused;
    verdict.code = kafka::invalid_topic;
    verdict.reason = fmt::format("topic {} is this outbox's control topic{}: no event goes there", topic,
                                 topic == options_.control_topic() ? "" : " for replays");
    return verdict;
}

/// The verdict for this batch, the same for all its rows: two rows of one key must not meet two
/// answers.
const delivery::TopicVerdict& BatchBuilder::verdict_for(std::string_view topic, Deadline deadline) {
    auto found = verdicts_.find(topic);
    if (found == verdicts_.end()) {
        const std::string name(topic);
        found = verdicts_.emplace(name, ask(name, deadline, {})).first;
    }
    return found->second;
}

/// Before anything is refused for what the broker may accept by now, it is asked again, once.
const delivery::TopicVerdict& BatchBuilder::verdict_afresh(std::string_view topic, Deadline deadline) {
    auto& known = verdicts_.find(topic)->second;
    if (asked_afresh_.emplace(topic).second) {
        known = ask(std::string(topic), deadline, began_);
    }
    return known;
}

bool exceeds(const kafka::Record& record, const delivery::TopicVerdict& verdict) {
    return static_cast<std::int64_t>(messages::alone_bytes(record)) > verdict.limits.max_message_bytes;
}

std::optional<delivery::Refusal> unfit_for(const kafka::Record& record, const delivery::TopicVerdict& verdict,
                                           bool compressed) {
    if (verdict.kind != delivery::TopicVerdict::Kind::open) {
        return delivery::Refusal{verdict.code, verdict.reason};
    }
    if (!compressed && exceeds(record, verdict)) {
        return delivery::Refusal{
            kafka::message_too_large,
            fmt::format("the record takes {} bytes, topic {} accepts {} (max.message.bytes)",
                        messages::alone_bytes(record), record.topic, verdict.limits.max_message_bytes)};
    }
    return std::nullopt;
}

/// Why the row cannot be sent: it failed alone before, or the topic does not take the record.
std::optional<delivery::Refusal> BatchBuilder::why_not(const store::Row& row, const kafka::Record& record,
                                                       const delivery::TopicVerdict& verdict) const {
    if (const auto* const blame = blame_of(blamed_, row);
        blame != nullptr && !blame->refusal.reason.empty()) {
        return blame->refusal;
    }
    return unfit_for(record, verdict, compressed_);
}

std::optional<std::int32_t> BatchBuilder::partition_of(const store::Row& row, const kafka::Record& record,
                                                       const delivery::TopicVerdict& verdict) const {
    return partition::choose_partition(*options_.messages.strategy,
                                       {record.key, record.topic, row.event_type, row.json(), row.seq},
                                       verdict.partitions);
}

BuiltBatch BatchBuilder::build(store::RowSet claimed, Deadline deadline) {
    BuiltBatch built;
    built.batch = std::make_unique<delivery::Batch>();
    std::unordered_set<std::string_view> blocked; // keys of rows that do not go now
    // One claim may hold rows of which some have waited for others: in their order, nothing
    // overtakes.
    std::vector<store::Row> going;
    const auto trial = find_trial(claimed);
    const bool alone = trial || claimed.rows.size() == 1;
    for (const store::Row& row : claimed.rows) {
        if (blocked.contains(row.key) || (trial && row.seq != *trial)) {
            built.put_back.push_back(row);
            continue;
        }
        const Place place = find_place(row, alone, built, deadline);
        if (place == Place::in_batch || place == Place::last_of_key) {
            going.push_back(row);
        }
        if (place == Place::held || place == Place::last_of_key) {
            blocked.insert(row.key);
        }
    }
    // Nothing to send: what was sorted out is written down all the same.
    if (going.empty()) {
        built.batch.reset();
        return built;
    }
    built.batch->claimed.storage = std::move(claimed.storage);
    built.batch->claimed.table_file = claimed.table_file;
    built.batch->claimed.rows = std::move(going);
    return built;
}

/// Of a row that cannot be encoded what its dead letter holds; `event` says why.
kafka::Record BatchBuilder::record_of(messages::OutgoingEvent::State& event, std::string_view topic,
                                      const delivery::TopicVerdict& verdict, messages::Arena& arena) const {
    const messages::RecordEncoder& encoder = *options_.messages.encoder;
    try {
        if (event.data_given && encoder.embeds_data() && !json::is_json(event.row.json())) {
            throw messages::Unencodable("on_before_publish gave data that is no JSON");
        }
        kafka::Record record =
            messages::make_record(encoder, event.row, topic, now_ms(), verdict.limits, arena);
        record.headers.insert(record.headers.end(), event.added.begin(), event.added.end());
        return record;
    } catch (const messages::Unencodable& error) {
        event.failed = error.what();
        return messages::bare_record(event.row, topic, now_ms(), arena);
    }
}

/// The event that is to show whether its topic takes records again; nothing else goes with it.
std::optional<std::int64_t> BatchBuilder::find_trial(const store::RowSet& claimed) {
    if (left_out_.trials.empty()) {
        return std::nullopt;
    }
    messages::Arena scratch;
    std::set<std::string, std::less<>> untried = left_out_.trials;
    std::optional<std::int64_t> trial;
    for (const store::Row& row : claimed.rows) {
        const auto event = messages::shape(options_.messages.before_publish, row, scratch);
        const auto topic = options_.messages.topic.topic_of(event.row, scratch);
        if (event.skipped.empty() && left_out_.trials.contains(topic)) {
            trial = trial.value_or(row.seq);
            untried.erase(std::string(topic)); // its turn is now, or comes
        }
    }
    for (const std::string& topic : untried) {
        topics_.not_tried(topic, pipeline_);
    }
    return trial;
}

/// The column of a damaged row that holds what is no text; null: none.
const char* damaged_column(const store::Row& row) {
    const std::pair<const char*, std::string_view> columns[] = {
        {"topic", row.topic},
        {row.key == row.aggregate_id ? "aggregate_id" : "partition_key", row.key},
        {"aggregate_id", row.aggregate_id},
        {"aggregate_type", row.aggregate_type},
        {"event_type", row.event_type},
        {"content_type", row.content_type},
        {"headers", row.headers},
        {"event_data", row.json()}};
    const auto* const found =
        std::ranges::find_if(columns, [](const auto& column) { return !is_storable(column.second); });
    return found == std::end(columns) ? nullptr : found->first;
}

/// Decides where one row goes. Everything that is cheap comes first, and brokers are asked at most once
/// for each topic.
BatchBuilder::Place BatchBuilder::find_place(const store::Row& row, bool alone, BuiltBatch& built,
                                             Deadline deadline) {
    const messages::Messages& messages = options_.messages;
    delivery::Batch& batch = *built.batch;
    messages::OutgoingEvent::State event = messages::shape(messages.before_publish, row, batch.arena);
    if (!event.skipped.empty()) {
        built.skipped.push_back({row.bucket, row.seq, std::move(event.skipped)});
        return Place::out;
    }
    if (const char* const column = damaged_column(event.row)) {
        event.failed = fmt::format("its {} cannot be read: it holds bytes that are no UTF-8 text", column);
    }
    // The topic follows from what the hook left, not from the row.
    const std::string_view topic = messages.topic.topic_of(event.row, batch.arena);
    const delivery::TopicVerdict* verdict = &verdict_for(topic, deadline);
    const auto waits = [&] {
        built.parked.emplace(topic, row.topic);
        built.put_back.push_back(row);
        return Place::held;
    };
    // A parked topic takes nothing at the moment: the row waits as it is, and spends no attempt.
    if (verdict->kind == delivery::TopicVerdict::Kind::parked) {
        return waits();
    }
    kafka::Record record = record_of(event, topic, *verdict, batch.arena);
    // The limit that is remembered may have been raised since; nothing is refused on an old answer.
    if (verdict->kind == delivery::TopicVerdict::Kind::open && exceeds(record, *verdict)) {
        verdict = &verdict_afresh(topic, deadline);
        if (verdict->kind == delivery::TopicVerdict::Kind::parked) {
            return waits();
        }
    }
    if (const auto partition = verdict->partitions > 0 ? partition_of(event.row, record, *verdict) : -1) {
        record.partition = *partition;
    } else {
        record.partition = -1;
        event.failed = "its partition follows from a field that is nested too deeply to be read";
    }
    const auto refusal =
        event.failed.empty() ? why_not(row, record, *verdict) : delivery::Refusal{0, event.failed};
    if (refusal) {
        const bool outage = event.failed.empty() && verdict->kind == delivery::TopicVerdict::Kind::given_up;
        return refuse(row, alone, outage, std::move(record), *refusal, built, deadline);
    }
    // The broker compares what is left after compression: it is asked about each alone.
    if ((row.retry_count > 0 || exceeds(record, *verdict)) && !alone) {
        built.postponed.push_back(row);
        return Place::held;
    }
    const std::int64_t now = now_ms();
    if (messages::stamp_for(event.row.created_at_us.value_or(now * 1000) / 1000, now, verdict->limits)
            .outlived) {
        ++batch.outlived[std::string(topic)];
    }
    batch.records.push_back(std::move(record));
    return Place::in_batch;
}

/// Spends an attempt of the row; the last one makes its dead letter, where there is a topic for those.
/// @param outage  its topic is given up: so is the row, whatever attempts it has left, and none is spent
BatchBuilder::Place BatchBuilder::refuse(const store::Row& row, bool alone, bool outage, kafka::Record record,
                                         const delivery::Refusal& refusal, BuiltBatch& built,
                                         Deadline deadline) {
    auto attempt = delivery::next_attempt(row, options_.max_retries, refusal.reason, delivery::dice());
    if (outage) {
        attempt.give_up = true;
        attempt.outage = true;
        attempt.retry_count = row.retry_count;
        attempt.error = fmt::format(
            "given up with its topic, which takes nothing (RELAY_TOPIC_OUTAGE=fail): {}", refusal.reason);
    }
    if (damaged_column(row) != nullptr) {
        attempt.give_up = true; // no attempt mends it
    }
    // What is no text can stand nowhere as the key of which an event waits; every event of it is FAILED.
    const bool key_can_wait = is_storable(row.key);
    attempt.block_key = attempt.give_up && key_can_wait && options_.block_failed_keys;
    const bool dies = attempt.give_up && !options_.dead_letter_topic.empty();
    if (dies && !outage && !alone && key_can_wait) {
        built.postponed.push_back(row);
        return Place::held;
    }
    const std::string& letters = options_.dead_letter_topic;
    if (dies && outage && verdict_for(letters, deadline).kind == delivery::TopicVerdict::Kind::parked) {
        built.parked.emplace(letters, row.topic); // nothing is given up while no letter can be sent
        built.put_back.push_back(row);
        return Place::held;
    }
    if (dies && dead_letter(*built.batch, row, std::move(record), refusal, attempt, deadline)) {
        return attempt.block_key ? Place::last_of_key : Place::in_batch;
    }
    // Later events of a key that goes on need not wait for the next claim.
    const Place place = outage && attempt.give_up && !attempt.block_key ? Place::out : Place::held;
    built.failed.push_back(std::move(attempt));
    return place;
}

} // namespace outbox::relay
