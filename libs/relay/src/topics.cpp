#include "outbox/relay/topics.hpp"

#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relay {
namespace {

using Kind = TopicVerdict::Kind;

constexpr std::chrono::milliseconds keep_parked{500};

/// Writers may name ever new topics.
constexpr std::size_t most_known = 10'000;

TopicVerdict refused(int code, std::string reason) {
    TopicVerdict verdict;
    verdict.kind = Kind::refused;
    verdict.code = code;
    verdict.reason = std::move(reason);
    return verdict;
}

/// Of any outbox on the cluster. Others may have such names too, but they are not compacted.
bool is_control_topic(std::string_view name, const kafka::Properties& config) {
    const auto policy = config.find("cleanup.policy");
    return name.starts_with("outbox.") && (name.ends_with(".control") || name.ends_with(".backfill")) &&
           policy != config.end() && policy->second.find("compact") != std::string::npos;
}

} // namespace

std::string create_command(const std::string& topic, const TopicPolicy& policy) {
    return fmt::format("kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions {}{}",
                       policy.brokers, topic, policy.partitions,
                       policy.replication > 0 ? fmt::format(" --replication-factor {}", policy.replication)
                                              : "");
}

TopicVerdict Topics::missing(const std::string& name, Deadline deadline) const {
    if (!policy_.create) {
        return refused(kafka::unknown_topic,
                       fmt::format("topic {} does not exist and KAFKA_CREATE_TOPICS is off; create it: {}",
                                   name, create_command(name, policy_)));
    }
    admin_.create_topic({name, policy_.partitions, policy_.replication, {}}, deadline);
    log::info("topic created", {{"topic", name}, {"partitions", policy_.partitions}});
    return ask(name, deadline);
}

TopicVerdict Topics::ask(const std::string& name, Deadline deadline) const {
    if (!kafka::is_topic_name(name)) {
        return refused(
            kafka::invalid_topic,
            fmt::format("'{}' is not a topic name: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'", name));
    }
    if (kafka::is_internal_topic(name)) {
        return refused(kafka::invalid_topic,
                       fmt::format("topic {} is Kafka's own: no event goes there", name));
    }
    try {
        const auto state = admin_.topic(name, deadline);
        if (!state) {
            return missing(name, deadline);
        }
        TopicVerdict verdict;
        verdict.partitions = state->partitions();
        if (!state->led() || state->partitions() == 0) {
            verdict.kind = Kind::parked;
            verdict.reason = fmt::format("a partition of topic {} has no leader", name);
            return verdict;
        }
        const auto config = admin_.topic_config(name, deadline);
        if (is_control_topic(name, config)) {
            return refused(kafka::invalid_topic,
                           fmt::format("topic {} is an outbox's control topic: no event goes there", name));
        }
        verdict.limits = kafka::limits_from(config);
        return verdict;
    } catch (const kafka::KafkaError& error) {
        if (error.blame() != kafka::Blame::topic) {
            throw;
        }
        return refused(error.code(), error.what());
    }
}

std::optional<TopicVerdict> Topics::recall(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(name);
    if (known == known_.end() || known->second.until <= SteadyClock::now()) {
        return std::nullopt;
    }
    return known->second.verdict;
}

TopicVerdict Topics::look_up(const std::string& name, Deadline deadline) {
    if (const auto verdict = recall(name)) {
        return *verdict;
    }
    const std::unique_lock turn(asking_, deadline.time());
    if (!turn) {
        throw kafka::KafkaError(kafka::timed_out, "topic " + name + ": others wait for Kafka's answer");
    }
    if (const auto verdict = recall(name)) { // found by another shard meanwhile
        return *verdict;
    }
    return keep(name, ask(name, deadline));
}

TopicVerdict Topics::keep(const std::string& name, TopicVerdict verdict) {
    const std::lock_guard lock(mutex_);
    drop_expired();
    Known& known = known_[name];
    known.verdict = std::move(verdict);
    switch (known.verdict.kind) {
    case Kind::open:
        known.until = SteadyClock::now() + policy_.metadata_interval;
        known.row_topics.clear();
        break;
    case Kind::parked:
        log::warn("topic parked", {{"topic", name}, {"reason", known.verdict.reason}});
        known.until = SteadyClock::now() + keep_parked;
        break;
    case Kind::refused:
        known.until = SteadyClock::now() + keep_parked;
        break;
    }
    return known.verdict;
}

void Topics::drop_expired() {
    if (known_.size() >= most_known) {
        const auto now = SteadyClock::now();
        std::erase_if(known_, [now](const auto& entry) { return entry.second.until <= now; });
    }
}

void Topics::refuse(const std::string& name, const Refusal& why) {
    const std::lock_guard lock(mutex_);
    Known& known = known_[name];
    known.verdict = refused(why.code, why.reason);
    known.refusals = std::min(known.refusals + 1, 6);
    known.until = SteadyClock::now() + std::chrono::milliseconds(500 << known.refusals);
}

void Topics::forget() {
    const std::lock_guard lock(mutex_);
    for (auto& [name, known] : known_) {
        if (known.verdict.kind == Kind::open) {
            known.until = {};
        }
    }
}

void Topics::forget_refusals() {
    const std::lock_guard lock(mutex_);
    std::erase_if(known_, [](const auto& entry) { return entry.second.verdict.kind == Kind::refused; });
}

void Topics::note_parked(std::string_view name, std::string_view row_topic) {
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(name); known != known_.end()) {
        known->second.row_topics.emplace(row_topic);
    }
}

LeftOut Topics::parked() {
    const std::lock_guard lock(mutex_);
    LeftOut parked;
    for (const auto& [name, known] : known_) {
        if (known.verdict.kind == Kind::parked && known.until > SteadyClock::now()) {
            parked.topics.insert(name);
            parked.row_topics.insert(parked.row_topics.end(), known.row_topics.begin(),
                                     known.row_topics.end());
        }
    }
    return parked;
}

std::int64_t Topics::smallest_batch_limit() {
    const std::lock_guard lock(mutex_);
    std::int64_t smallest = 1'000'000;
    for (const auto& [name, known] : known_) {
        if (known.verdict.kind == Kind::open) {
            smallest = std::min(smallest, known.verdict.limits.max_message_bytes);
        }
    }
    return smallest;
}

} // namespace outbox::relay
