#include "outbox/relay/batch_policy.hpp"

#include <algorithm>

namespace outbox::relay {

std::optional<std::string> doubt_about(const kafka::TransactionEnd& end) {
    if (end.failure) {
        return end.failure->message;
    }
    if (end.strays) {
        return "a request of the transaction was sent twice or not answered";
    }
    return std::nullopt;
}

Remedy remedy_for(const kafka::Failure& failure, const Batch& batch) {
    const bool spoilt = failure.blame == kafka::Blame::record || failure.blame == kafka::Blame::topic;
    if (!spoilt || batch.claimed.empty()) {
        return Remedy::none;
    }
    if (batch.dead_letter) {
        return Remedy::blame_dead_letter;
    }
    if (failure.blame == kafka::Blame::topic && one_topic(batch)) {
        return Remedy::refuse_topic;
    }
    return batch.claimed.rows.size() == 1 ? Remedy::blame_row : Remedy::split;
}

bool needs_proof(const kafka::Failure& failure, Remedy remedy) {
    return failure.blame == kafka::Blame::topic &&
           (remedy == Remedy::refuse_topic || remedy == Remedy::blame_dead_letter);
}

bool goes_alone(const Batch& batch) {
    return batch.claimed.empty() || (batch.dead_letter && batch.dead_letter->block_key);
}

bool one_topic(const Batch& batch) {
    const auto& records = batch.records; // the last one is the manifest
    return std::all_of(records.begin(), records.end() - 1,
                       [&](const auto& record) { return record.topic == records.front().topic; });
}

void BatchLimit::sent() {
    now_ = std::min(now_ * 2, most_);
}

void BatchLimit::spoilt(std::size_t events) {
    now_ = std::max<std::size_t>(1, events / 2);
}

} // namespace outbox::relay
