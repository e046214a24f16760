#pragma once

#include "outbox/kafka/error.hpp"

#include <librdkafka/rdkafka.h>

#include <optional>
#include <string>
#include <string_view>

namespace outbox::kafka {

/// What kept a client from a broker.
struct Trouble {
    std::string text;     ///< begins with the broker's address
    bool refusal = false; ///< one of the two refused the other; asking again soon changes nothing

    bool operator==(const Trouble&) const = default;
};

/// What a line of librdkafka's log says about a connection that failed. Pure.
std::optional<Trouble> trouble_in(std::string_view facility, std::string_view message);

///@{
/// librdkafka says why a connection failed in its log alone: the last reason is kept for each client, and for
/// no longer than librdkafka takes to repeat one that lasts. Thread-safe.
void note_trouble(const rd_kafka_t* client, Trouble trouble);
std::optional<Trouble> trouble_of(const rd_kafka_t* client);
void forget_trouble(const rd_kafka_t* client);
///@}

/// The error of a call, with what is known to have kept its client from the brokers.
KafkaError error_of(const rd_kafka_t* client, int code, const std::string& what);

} // namespace outbox::kafka
