#pragma once

#include "outbox/backfill/request.hpp"

#include <outbox/delivery/batch.hpp>
#include <outbox/delivery/topics.hpp>
#include <outbox/messages/record.hpp>

#include <map>
#include <string>

namespace outbox::backfill {

/// Makes the message of an event that is replayed: topic, format, partition and the headers by which
/// consumers tell. Not thread-safe.
class Shaper {
public:
    /// @param run  outbox-replay-id
    Shaper(const Target& target, std::string run, delivery::Topics& topics);

    /// The record points into the row and the batch.
    /// @throws Error(stop) for an event that the topic does not accept; Error(retry) while a leader is away
    kafka::Record shape(delivery::Batch& batch, const store::Row& row, Deadline deadline);

    /// What is known about topics is asked for again when it is old. Between pages, because it costs a look
    /// each.
    void refresh() { verdicts_.clear(); }

private:
    const delivery::TopicVerdict& verdict_for(std::string_view topic, Deadline deadline);
    [[nodiscard]] kafka::Record encode(const store::Row& row, std::string_view topic,
                                       const delivery::TopicVerdict& verdict, messages::Arena& arena) const;

    Target target_;
    std::string run_;
    delivery::Topics& topics_;
    std::map<std::string, delivery::TopicVerdict, std::less<>> verdicts_;
};

/// @throws Error(stop) when the topic cannot be sent to, Error(retry) when a leader is away
delivery::TopicVerdict open_topic(delivery::Topics& topics, const std::string& name, Deadline deadline);

} // namespace outbox::backfill
