// Decisions about batches, without I/O: what a failed transaction asks for, which batch must not be
// joined by another, and how large the next one may be. The limits adapt: a batch that was too late is
// followed by smaller ones, and what arrives in time lets them grow again, slowly.

#include "outbox/delivery/batch_policy.hpp"

#include "outbox/messages/record.hpp"

#include <outbox/core/event.hpp>

#include <algorithm>

namespace outbox::delivery {
namespace {

/// Well below the time after which a client takes a broker that does not answer for gone.
constexpr milliseconds bearable_throttle{1'000};

} // namespace

/// A success is doubted as well, when a request was sent twice: a copy that the network delayed could
/// end a later transaction (KAFKA-17754), so both producers are thrown away and recovery decides.
std::optional<std::string> doubt_about(const kafka::TransactionEnd& end) {
    if (end.failure) {
        return end.failure->message;
    }
    if (end.strays) {
        return "a request of the transaction was sent twice or not answered";
    }
    return std::nullopt;
}

/// Only a record or a topic can be blamed on an event, and only when the batch has events.
Remedy remedy_for(const kafka::Failure& failure, const Batch& batch) {
    const bool spoilt = failure.blame == kafka::Blame::record || failure.blame == kafka::Blame::topic;
    if (!spoilt || batch.claimed.empty()) {
        return Remedy::none;
    }
    if (failure.blame == kafka::Blame::topic) {
        // Kafka may refuse a topic without naming it: while several are in the batch it is
        // halved by topics.
        return one_topic(batch) ? Remedy::refuse_topic : Remedy::split;
    }
    if (batch.claimed.rows.size() > 1) {
        return Remedy::split;
    }
    // Alone and refused: it is the event, or, where it carries a dead letter, that.
    return batch.dead_letters.empty() ? Remedy::blame_row : Remedy::blame_dead_letter;
}

bool goes_alone(const Batch& batch) {
    return batch.claimed.empty() || std::any_of(batch.dead_letters.begin(), batch.dead_letters.end(),
                                                [](const auto& letter) { return letter.second.block_key; });
}

std::set<std::string, std::less<>> topics_of(const Batch& batch) {
    std::set<std::string, std::less<>> topics;
    std::string_view last;
    for (const kafka::Record& record : batch.records) {
        if (record.topic != last) {
            last = record.topic;
            topics.emplace(last);
        }
    }
    return topics;
}

bool one_topic(const Batch& batch) {
    const auto& records = batch.records; // the last ones are manifests
    return std::all_of(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(batch.events()),
                       [&](const auto& record) { return record.topic == records.front().topic; });
}

bool is_large(const Batch& batch) {
    constexpr std::size_t large = 1 << 20;
    std::size_t bytes = 0;
    for (const kafka::Record& record : batch.records) {
        bytes += messages::alone_bytes(record);
    }
    return bytes > large;
}

void BatchLimit::sent(milliseconds throttled) {
    if (now_ < most_timely_) {
        now_ = std::min(now_ * 2, most_timely_);
        return;
    }
    if (throttled > bearable_throttle) {
        return;
    }
    // What was in time may grow, but so slowly that a limit of the broker's is met again but seldom.
    most_timely_ = std::min(most_, most_timely_ + std::max<std::size_t>(1, most_timely_ / 16));
    now_ = most_timely_;
}

void BatchLimit::spoilt(std::size_t events) {
    now_ = std::max<std::size_t>(1, events / 2);
}

void BatchLimit::late(std::size_t events, milliseconds throttled) {
    const auto let_through = throttled > bearable_throttle
                                 ? events * static_cast<std::size_t>(bearable_throttle.count()) /
                                       static_cast<std::size_t>(throttled.count())
                                 : events;
    most_timely_ = std::max<std::size_t>(1, std::min(events / 2, let_through));
    now_ = most_timely_;
}

void ClaimLimit::took() {
    if (now_ < most_ && ++claims_ >= bucket_count) { // each claim begins with another one
        now_ = std::min(most_, now_ * 2);
        claims_ = 0;
    }
}

} // namespace outbox::delivery
