#include "shard/aftermath.hpp"

#include <outbox/delivery/batch_policy.hpp>
#include <outbox/kafka/error.hpp>

#include <fmt/format.h>

namespace outbox::relay {

Step Aftermath::of(const delivery::BatchEnd& end, store::ShardDatabase& database, Fencing& fencing,
                   const store::Ownerships& ownerships) {
    note_throttle(end.end.throttled);
    if (end.end.failure) {
        topics_.forget();
        if (end.end.failure->blame == kafka::Blame::fenced) {
            if (Step step = fenced(database, fencing, ownerships); !step.done()) {
                return step;
            }
        }
        if (Step step = failed(*end.batch, end.end); !step.done()) {
            return step;
        }
    } else {
        sent(*end.batch, end.end.throttled);
    }
    if (auto doubt = delivery::doubt_about(end.end)) {
        return {Step::Kind::doubt, std::move(*doubt)};
    }
    return {};
}

void Aftermath::sent(const delivery::Batch& batch, milliseconds throttled) {
    // Each owner begins with one that has no events: whether it gets on, that does not show.
    if (!batch.claimed.empty() || control_.doubted()) {
        troubles_.over();
    }
    for (const auto& [topic, events] : batch.outlived) {
        outlived_.add(topic, events);
    }
    control_.took();
    if (batch.claimed.empty()) {
        if (const auto refused = suspects_.proven()) {
            topics_.refuse(refused->name, refused->why);
        }
        return;
    }
    suspects_.sent(throttled);
    if (topics_.needs_try()) {
        for (const std::string& topic : delivery::topics_of(batch)) {
            topics_.took(topic);
        }
    }
}

/// A relay that took one of the shards has fenced all that this pipeline sends, and raised the slot's epoch.
Step Aftermath::fenced(store::ShardDatabase& database, Fencing& fencing,
                       const store::Ownerships& ownerships) {
    for (const store::Ownership& ownership : ownerships) {
        if (!database.owns(ownership)) {
            return {Step::Kind::lost, fmt::format("fenced by the new owner of shard {}", ownership.shard)};
        }
    }
    if (!fencing.stands()) {
        return {Step::Kind::again, "fenced by a relay that took a shard which this one had"};
    }
    if (troubles_.breaker.fenced_too_often(clock_.now())) {
        return {Step::Kind::stopped,
                "fenced more than three times in a minute while still the owner: a second deployment"
                " uses the same outbox; stop one of the two, and give a copy of this database an"
                " OUTBOX_NAME of its own with `outbox-relay adopt`"};
    }
    return {};
}

Step Aftermath::failed(const delivery::Batch& batch, const kafka::TransactionEnd& end) {
    const kafka::Failure& failure = *end.failure;
    // A client that a quota holds back does not hear the broker, and hangs up.
    const bool late = kafka::is_timeout(failure.code) || end.throttled.count() > 0;
    const bool by_size = failure.blame == kafka::Blame::nobody && delivery::is_large(batch);
    if (failure.blame == kafka::Blame::topic || late || by_size) {
        const Told told = brokers_tell(batch);
        if (told.control) {
            return control_topic_refuses("see the topic's own entry in this log");
        }
        if (told.explains) {
            troubles_.breaker.answered(); // Kafka is well
            return {};
        }
        if (told.asked && !batch.claimed.empty() && suspects_.too_much(batch, failure, late, end.throttled)) {
            observer_.batch_too_large(
                {pipeline_, batch.claimed.rows.size(), suspects_.most_rows(), failure.message});
        }
    }
    if (batch.claimed.empty() && failure.blame == kafka::Blame::topic) {
        topics_.refuse(control_.name(), {failure.code, failure.message});
        return control_topic_refuses(failure.message);
    }
    if (suspects_.judge(batch, failure)) {
        troubles_.breaker.answered(); // Kafka is well
    }
    return {};
}

/// Asks brokers about the topics of a batch that failed, whether one of them explains it: then it is parked
/// or made by now, and the other events are sent again.
Aftermath::Told Aftermath::brokers_tell(const delivery::Batch& batch) {
    constexpr std::chrono::seconds patience{3};
    try {
        const auto culprits = topics_.find_culprits(delivery::topics_of(batch), Deadline::in(patience));
        return {true, !culprits.empty(), culprits.contains(control_.name())};
    } catch (const std::exception& error) {
        observer_.topics_unknown({pipeline_, error.what()});
        return {};
    }
}

Step Aftermath::control_topic_refuses(const std::string& why) {
    suspects_.acquit_topic();
    control_.refused();
    troubles_.breaker.answered(); // Kafka is well
    return {Step::Kind::doubt, fmt::format("the control topic {} refuses records, so nothing can be sent: {}",
                                           control_.name(), why)};
}

void Aftermath::note_throttle(milliseconds throttled) {
    if (throttled.count() == 0) {
        return;
    }
    troubles_.hindrance.slows(
        fmt::format("a quota of Kafka's held its last batch back for {} ms; it sends {} events "
                    "a batch at most; raise producer_byte_rate or request_percentage of its "
                    "user or client id (kafka-configs.sh --alter), or let it be slow",
                    throttled.count(), suspects_.most_rows()),
        clock_.now());
    observer_.throttled({pipeline_, throttled, suspects_.most_rows()});
}

} // namespace outbox::relay
