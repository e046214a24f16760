// One lane of a replay: its events in order, one transaction after the other. In each transaction
// travels a control record that says up to which number the lane's events are published, so after a
// crash Kafka itself tells where to go on, and nothing is sent twice. Topics are identified before a
// batch and again after its commit, as relays do it.

#include "lane.hpp"

#include <outbox/core/error.hpp>
#include <outbox/delivery/batch_policy.hpp>
#include <outbox/delivery/proof.hpp>

#include <fmt/format.h>

namespace outbox::backfill {
namespace {

/// Why a batch failed, as an error whose action says whether the same run may go on by itself.
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

constexpr std::chrono::seconds patience{5};        ///< with brokers that are asked for ids before a batch
constexpr std::chrono::seconds proof_patience{60}; ///< and after it

} // namespace

delivery::PublisherOptions Lane::guarded(delivery::PublisherOptions options, const kafka::Admin& admin,
                                         delivery::TopicWatch& watch) {
    options.before_commit = [client = options.client, &admin, &watch](const delivery::UnderWay& under_way) {
        delivery::look_before_commit(client, admin, watch, under_way);
    };
    return options;
}

void Lane::pump(std::int64_t settled) {
    if (sending_ || waiting_.empty()) {
        return;
    }
    sending_ = std::move(waiting_.front());
    waiting_.pop_front();
    // The position is made before the batch is handed over: it must be inside of it.
    next_ = {position_.batch + 1, sending_->through, settled, position_.published + sending_->events};
    auto batch = std::move(sending_->batch);
    auto& manifest = batch->manifests.emplace_back();
    manifest.number = next_.batch;
    manifest.value = encode({place_.run, number_, next_});
    manifest.key = fmt::format("{}/{}", place_.run.to_string(), number_);
    kafka::Record control;
    control.topic = place_.topic;
    control.partition = place_.partition;
    control.key = manifest.key;
    control.value = manifest.value;
    topics_ = watch_.identify(delivery::topics_of(*batch), Deadline::in(patience));
    manifest.topics = encode_topics(topics_);
    control.headers.push_back({topics_header, manifest.topics});
    batch->records.push_back(std::move(control));
    batch->identities = topics_;
    publisher_.submit(std::move(batch));
    watch_.freshen(topics_);
}

/// @return whether what is under way was committed
bool Lane::ended() {
    if (ended_) {
        return true;
    }
    const auto end = publisher_.take_end();
    if (!end) {
        return false;
    }
    // A doubtful end is a failure here: the next attempt reads from the control topic what became
    // of it.
    if (end->end.failure || end->end.strays) {
        throw error_of(*end->batch, end->end);
    }
    ended_ = SteadyClock::now();
    watch_.want(delivery::names_of(topics_), &done_);
    return true;
}

/// A commit succeeds although a topic was deleted and made again meanwhile, with what stood there before.
bool Lane::proven() {
    const auto verdict = watch_.compare(topics_, *ended_);
    if (verdict.kind == delivery::IdentityVerdict::Kind::changed) {
        throw Error(Action::reconnect, delivery::made_again(verdict.topic));
    }
    if (verdict.kind == delivery::IdentityVerdict::Kind::same) {
        return true;
    }
    if (SteadyClock::now() - *ended_ > proof_patience) {
        throw Error(Action::reconnect, "brokers do not say which topics there are");
    }
    return false;
}

std::shared_ptr<OpenPage> Lane::collect() {
    if (!sending_ || !ended() || !proven()) {
        return nullptr;
    }
    ended_.reset();
    position_ = next_;
    auto page = std::move(sending_->of);
    sending_.reset();
    --page->parts_left;
    return page;
}

} // namespace outbox::backfill
