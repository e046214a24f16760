#pragma once

#include <outbox/check/line.hpp>
#include <outbox/delivery/topics.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/postgres/connection.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::check {

/// Whose needs are looked at.
enum class Needs { relay, server, backfill };

/// What a program will work with.
struct Request {
    Needs needs = Needs::relay;
    postgres::ConnectOptions database;
    kafka::ClientOptions kafka;
    delivery::TopicPolicy topics;
    std::string outbox_name;        ///< OUTBOX_NAME
    std::string control_topic = {}; ///< that the program writes to beside its events; empty: none
    int control_partitions = 0;     ///< that it needs at first
    std::string transactional_prefix =
        {}; ///< of a program whose transactions are not named by the outbox's id
    std::vector<std::string> event_topics = {}; ///< beside those of unsent events
    /// Where an event goes, by topic, aggregate_type and event_type of its row; empty: not to be looked for.
    std::function<std::string(const std::string&, const std::string&, const std::string&)> topic_of = {};
};

/// Tries all of it, in order. Changes nothing, neither here nor there. What hangs is given up after a few
/// seconds, and what cannot be looked at then is said to be skipped. Never throws for what it finds.
std::vector<Line> run(const Request& request);

} // namespace outbox::check
