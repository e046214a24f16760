// How the one event is found that spoils a batch or a claim. Kafka and PostgreSQL refuse the whole and
// do not always say which part; so the next one is half as large, until one event stands alone. What
// stands alone and is refused is at fault, and only then does it spend an attempt.

#include "shard/suspects.hpp"

#include <outbox/messages/record.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace outbox::relay {
namespace {

/// Their keys cannot be told apart where they cannot be read.
void keep_first_of_buckets(std::vector<store::UnreadableRow>& rows) {
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
        return a.bucket != b.bucket ? a.bucket < b.bucket : a.seq < b.seq;
    });
    rows.erase(std::unique(rows.begin(), rows.end(),
                           [](const auto& a, const auto& b) { return a.bucket == b.bucket; }),
               rows.end());
}

} // namespace

BlamedRow& Suspects::blame(const store::Row& row) {
    BlamedRow& blamed = blamed_[row.seq];
    if (blamed.id != row.id) {
        blamed = {row.id, {}, {}};
    }
    return blamed;
}

/// Follows what batch_policy says about the failure. @return whether it lies with the events
bool Suspects::judge(const delivery::Batch& batch, const kafka::Failure& failure) {
    const auto remedy = delivery::remedy_for(failure, batch);
    switch (remedy) {
    case delivery::Remedy::none:
        return false;
    case delivery::Remedy::split:
        batch_.spoilt(batch.claimed.rows.size());
        break;
    case delivery::Remedy::blame_row:
        blame(batch.claimed.rows.front()).refusal = {failure.code, failure.message};
        batch_.found();
        break;
    case delivery::Remedy::blame_dead_letter:
        blame(batch.claimed.rows.front()).no_dead_letter = failure.message;
        break;
    case delivery::Remedy::refuse_topic:
        unproven_ = RefusedTopic{std::string(batch.records.front().topic), {failure.code, failure.message}};
        break;
    }
    return true;
}

bool Suspects::too_much(const delivery::Batch& batch, const kafka::Failure& failure, bool late,
                        milliseconds throttled) {
    const std::size_t events = batch.claimed.rows.size();
    if (events == 1 && delivery::is_large(batch)) {
        blame(batch.claimed.rows.front()).refusal = {
            kafka::message_too_large,
            fmt::format(
                "a record of {} bytes alone does not get through, though the brokers answer; a limit of "
                "theirs (socket.request.max.bytes) or the time of a transaction is too small for it: {}",
                messages::alone_bytes(batch.records.front()), failure.message)};
        batch_.found();
        return false;
    }
    if (late) {
        batch_.late(events, throttled);
        return true;
    }
    if (failure.blame == kafka::Blame::nobody) {
        batch_.spoilt(events);
        return true;
    }
    return false;
}

/// The topic is handed out once; whoever takes it parks it.
std::optional<Suspects::RefusedTopic> Suspects::proven() {
    return std::exchange(unproven_, std::nullopt);
}

/// Fewer rows a statement; false when it is one already, which must then be looked at by itself.
bool Suspects::claim_fewer() {
    if (claim_.now() <= 1) {
        return false;
    }
    claim_.too_many();
    return true;
}

void Suspects::found_unreadable(std::vector<store::UnreadableRow> rows, bool block_failed_keys) {
    unreadable_ = std::move(rows);
    if (block_failed_keys) {
        keep_first_of_buckets(unreadable_); // the others of its key wait for the operator
    }
}

} // namespace outbox::relay
