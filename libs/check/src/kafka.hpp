#pragma once

#include "outbox/check/line.hpp"

#include <outbox/delivery/topics.hpp>
#include <outbox/kafka/probe.hpp>
#include <outbox/kafka/topic_survey.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::check {

/// How the brokers are to be spoken to.
struct Spoken {
    bool tls = false;
    bool login = false;
    std::string user = {};
};

/// A topic that events will be sent to.
struct TopicNeed {
    std::string name;
    std::int64_t events = 0;                    ///< that wait for it
    std::optional<std::int64_t> oldest_ms = {}; ///< age of the oldest of them
    std::string would_be_refused = {};          ///< why it cannot be made where it is missing; empty: it can
};

/// TLS, the login and the version of the broker at `where`.
std::vector<Line> judge_greeting(const std::string& where, const kafka::Greeting& greeting,
                                 const Spoken& spoken);

/// @param mine  that the outbox belongs to; nullopt: to none yet
Line judge_cluster(const std::optional<std::string>& mine, const std::string& found,
                   const std::string& brokers);

/// Whether transactions can begin there, and last as long as ours may.
struct TransactionFacts {
    std::optional<kafka::Properties> broker = {}; ///< nullopt: this client may not see it
    std::optional<kafka::TopicFacts> state = {};  ///< `__transaction_state`; nullopt: there is none yet
    int brokers = 1;                              ///< that are alive
    std::int64_t timeout_ms = 0;                  ///< ours
};
std::vector<Line> judge_transactions(const TransactionFacts& facts, const std::string& brokers);

/// Everything about one topic.
std::vector<Line> judge_topic(const TopicNeed& need, const kafka::TopicFacts& facts,
                              const delivery::TopicPolicy& policy);

} // namespace outbox::check
