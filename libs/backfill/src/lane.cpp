#include "lane.hpp"

#include <outbox/core/error.hpp>
#include <outbox/delivery/batch_policy.hpp>

#include <fmt/format.h>

namespace outbox::backfill {
namespace {

Error error_of(const delivery::Batch& batch, const kafka::TransactionEnd& end) {
    if (!end.failure) {
        return {Action::reconnect, "Kafka's answers came late or twice"};
    }
    const bool final = end.failure->blame == kafka::Blame::record ||
                       end.failure->blame == kafka::Blame::topic || end.failure->blame == kafka::Blame::setup;
    if (end.failure->blame == kafka::Blame::topic && delivery::one_topic(batch)) {
        return {Action::stop, fmt::format("topic {}: {}", batch.records.front().topic, end.failure->message)};
    }
    return {final ? Action::stop : Action::reconnect, end.failure->message};
}

} // namespace

void Lane::pump(std::int64_t settled) {
    if (sending_ || waiting_.empty()) {
        return;
    }
    sending_ = std::move(waiting_.front());
    waiting_.pop_front();
    next_ = {position_.batch + 1, sending_->through, settled, position_.published + sending_->events};
    auto batch = std::move(sending_->batch);
    batch->number = next_.batch;
    batch->manifest = encode({place_.run, number_, next_});
    batch->manifest_key = fmt::format("{}/{}", place_.run.to_string(), number_);
    kafka::Record control;
    control.topic = place_.topic;
    control.partition = place_.partition;
    control.key = batch->manifest_key;
    control.value = batch->manifest;
    batch->records.push_back(std::move(control));
    publisher_.submit(std::move(batch));
}

std::shared_ptr<OpenPage> Lane::collect() {
    const auto end = publisher_.take_end();
    if (!end) {
        return nullptr;
    }
    if (end->end.failure || end->end.strays) {
        throw error_of(*end->batch, end->end);
    }
    position_ = next_;
    auto page = std::move(sending_->of);
    sending_.reset();
    --page->parts_left;
    return page;
}

} // namespace outbox::backfill
