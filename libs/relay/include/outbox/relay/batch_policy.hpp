#pragma once

#include <outbox/kafka/producer.hpp>
#include <outbox/relay/batch.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace outbox::relay {

/// Why an ended transaction asks for a recovery; nullopt: it is committed, and nothing of it is under way.
std::optional<std::string> doubt_about(const kafka::TransactionEnd& end);

/// What a failed transaction means for its events, once a recovery has decided its fate.
enum class Remedy {
    none,              ///< not their fault: they are sent again as they are
    split,             ///< one of them spoils the batch: half as many next time
    blame_row,         ///< this one, which stood alone, spends an attempt
    blame_dead_letter, ///< the event's dead letter is refused as well
    refuse_topic       ///< the topic of them all refuses: they spend attempts
};
Remedy remedy_for(const kafka::Failure& failure, const Batch& batch);

/// Whether events can spend attempts because of it although the control topic may be the one that refuses:
/// the broker does not always say which topic it means. A batch that names no event tells.
bool needs_proof(const kafka::Failure& failure, Remedy remedy);

/// Whether it is marked before anything is claimed: it names no event, or its mark may block a key.
bool goes_alone(const Batch& batch);

/// Whether all its events go to one topic.
bool one_topic(const Batch& batch);

/// Most events of the next batch.
class BatchLimit {
public:
    explicit BatchLimit(std::size_t most) : most_(most), now_(most) {}

    [[nodiscard]] std::size_t now() const { return now_; }
    void sent();
    /// One of so many events spoilt their batch, and is sought.
    void spoilt(std::size_t events);
    /// It stood alone.
    void found() { now_ = most_; }

private:
    std::size_t most_;
    std::size_t now_;
};

} // namespace outbox::relay
