// What brokers said, and what it means. Nothing is asked here. Whether a topic takes anything at all is
// judged by delivery::judge(), as the relay does it.

#include "kafka.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace outbox::check {
namespace {

constexpr std::int64_t usual_batch = 1'000'000;
constexpr std::int64_t day_ms = 86'400'000;

std::string text_of(const kafka::Properties& config, const std::string& name) {
    const auto found = config.find(name);
    return found == config.end() ? "" : found->second;
}

std::int64_t number_of(const kafka::Properties& config, const std::string& name, std::int64_t fallback) {
    const std::string text = text_of(config, name);
    std::int64_t number = fallback;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::string duration(std::int64_t ms) {
    return ms >= 2 * day_ms  ? fmt::format("{} days", ms / day_ms)
           : ms >= 7'200'000 ? fmt::format("{} h", ms / 3'600'000)
                             : fmt::format("{} s", ms / 1000);
}

std::string alter(const std::string& topic, const std::string& setting, const std::string& brokers) {
    return fmt::format("kafka-configs.sh --bootstrap-server {} --alter --topic {} --add-config {}", brokers,
                       topic, setting);
}

/// "2.3" before "2.10"; what is no release is old.
bool older(const std::string& release, int major, int minor) {
    int first = 0;
    int second = 0;
    const char* const end = release.data() + release.size();
    const auto dot = std::from_chars(release.data(), end, first).ptr;
    if (dot != end) {
        std::from_chars(dot + 1, end, second);
    }
    return std::pair(first, second) < std::pair(major, minor);
}

Line judge_release(const std::string& where, const std::string& release) {
    const std::string message = fmt::format("{} is Kafka {} or later", where, release);
    if (older(release, 2, 3)) {
        return {"kafka version", Status::warn,
                message + ": it tells neither what is allowed in a topic nor how many replicas are in sync",
                "upgrade the brokers"};
    }
    if (older(release, 3, 0)) {
        return {"kafka version", Status::warn,
                message +
                    ": it does not say which transactions are open, so markers that are lost are not found",
                "upgrade the brokers"};
    }
    return {"kafka version", Status::ok, message};
}

/// Replicas: how many there are, and how many must have a record before it counts.
Line judge_replicas(const TopicNeed& need, const kafka::TopicFacts& facts, const std::string& brokers) {
    const std::string name = "topic " + need.name + " replicas";
    if (facts.replicas.empty() || !facts.config) {
        return {name, Status::skip, "brokers do not tell them to this client"};
    }
    const auto least = std::ranges::min(facts.replicas, {}, &kafka::Replicas::all).all;
    const auto needed = number_of(*facts.config, "min.insync.replicas", 1);
    const auto message =
        fmt::format("{} replica{}, min.insync.replicas={}", least, least == 1 ? "" : "s", needed);
    if (needed > least) {
        return {name, Status::fail, message + ": more than there are, and nothing can be written",
                alter(need.name, fmt::format("min.insync.replicas={}", least), brokers)};
    }
    if (least == 1) {
        return {name, Status::warn, message + ": what is sent is lost with its broker",
                fmt::format("kafka-reassign-partitions.sh --bootstrap-server {} (three replicas), then "
                            "min.insync.replicas=2",
                            brokers)};
    }
    if (needed == 1) {
        return {name, Status::warn, message + ": one broker alone may acknowledge, and its end loses that",
                alter(need.name, "min.insync.replicas=2", brokers)};
    }
    if (needed == least) {
        return {name, Status::warn, message + ": while one broker is away nothing is sent",
                alter(need.name, fmt::format("min.insync.replicas={}", least - 1), brokers)};
    }
    return {name, Status::ok, message};
}

/// How long it keeps events, and whether that is long enough for the oldest that waits.
Line judge_retention(const TopicNeed& need, const kafka::TopicLimits& limits, const std::string& brokers) {
    const std::string name = "topic " + need.name + " retention";
    if (limits.kept_ms == std::numeric_limits<std::int64_t>::max()) {
        return {name, Status::ok, "nothing is deleted by its age"};
    }
    const auto message = "events are kept for " + duration(limits.kept_ms);
    if (need.oldest_ms && *need.oldest_ms > limits.kept_ms - std::min(day_ms, limits.kept_ms / 2)) {
        return {
            name, Status::warn,
            fmt::format("{}, and the oldest unsent event is {} old: old ones get the time of sending instead "
                        "of created_at, or they would be deleted at once",
                        message, duration(*need.oldest_ms)),
            alter(need.name, fmt::format("retention.ms={}", std::max(*need.oldest_ms * 2, 7 * day_ms)),
                  brokers)};
    }
    return {name, Status::ok, message};
}

Line judge_timestamps(const TopicNeed& need, const kafka::TopicFacts& facts, const kafka::TopicLimits& limits,
                      const std::string& brokers) {
    const std::string name = "topic " + need.name + " timestamps";
    const auto type = text_of(*facts.config, "message.timestamp.type");
    if (type == "LogAppendTime") {
        return {
            name, Status::warn,
            "message.timestamp.type=LogAppendTime: consumers see the time of sending, and created_at only in "
            "ce_time or outbox-created-at",
            alter(need.name, "message.timestamp.type=CreateTime", brokers)};
    }
    if (need.oldest_ms && *need.oldest_ms > limits.timestamp_before_max_ms) {
        return {
            name, Status::warn,
            fmt::format("message.timestamp.before.max.ms is {}, and the oldest unsent event is {} old: its "
                        "record gets a later time than created_at",
                        duration(limits.timestamp_before_max_ms), duration(*need.oldest_ms)),
            alter(need.name, "message.timestamp.before.max.ms=9223372036854775807", brokers)};
    }
    return {name, Status::ok, "records keep created_at"};
}

/// What the topic does with what it has taken.
Line judge_keeping(const TopicNeed& need, const kafka::Properties& config, const std::string& brokers) {
    const std::string name = "topic " + need.name + " keeping";
    const auto cleanup = text_of(config, "cleanup.policy");
    if (cleanup.find("compact") != std::string::npos) {
        return {name, Status::warn,
                fmt::format("cleanup.policy={}: of each key only the newest event stays", cleanup),
                alter(need.name, "cleanup.policy=delete", brokers) + " unless that is meant"};
    }
    if (text_of(config, "unclean.leader.election.enable") == "true") {
        return {name, Status::warn,
                "unclean.leader.election.enable=true: a broker that lacks the newest events may come to "
                "lead, and "
                "they are lost",
                alter(need.name, "unclean.leader.election.enable=false", brokers)};
    }
    return {name, Status::ok, "cleanup.policy=" + (cleanup.empty() ? "delete" : cleanup)};
}

Line judge_size(const TopicNeed& need, const kafka::TopicLimits& limits, const std::string& brokers) {
    const std::string name = "topic " + need.name + " size";
    const auto message = fmt::format("max.message.bytes={}", limits.max_message_bytes);
    if (limits.max_message_bytes < usual_batch) {
        return {name, Status::warn,
                message + ": an event that is larger becomes FAILED, and batches are small",
                alter(need.name, "max.message.bytes=1048588", brokers)};
    }
    return {name, Status::ok, message};
}

/// A reason of the relay's own ends in what to type, behind a semicolon.
Line failed(const std::string& name, const std::string& reason) {
    const auto at = reason.rfind("; ");
    return at == std::string::npos ? Line{name, Status::fail, reason}
                                   : Line{name, Status::fail, reason.substr(0, at), reason.substr(at + 2)};
}

/// The record of transactions stands.
Line judge_transaction_state(const kafka::TopicFacts& state, const std::string& brokers) {
    constexpr auto name = "kafka transaction state";
    const kafka::Properties config = state.config.value_or(kafka::Properties{});
    for (const kafka::Replicas& replicas : state.replicas) {
        const auto needed = number_of(config, "min.insync.replicas", 1);
        if (replicas.in_sync < needed) {
            return {name, Status::fail,
                    fmt::format(
                        "a partition of __transaction_state has {} replica{} in sync and "
                        "min.insync.replicas={} (transaction.state.log.min.isr): no transaction can begin",
                        replicas.in_sync, replicas.in_sync == 1 ? "" : "s", needed),
                    "bring brokers back, or: " +
                        alter("__transaction_state",
                              fmt::format("min.insync.replicas={}", std::max(replicas.in_sync, 1)), brokers)};
        }
    }
    if (!state.led()) {
        return {name, Status::fail,
                "a partition of __transaction_state has no leader: no transaction can begin",
                "bring brokers back"};
    }
    if (text_of(config, "unclean.leader.election.enable") == "true") {
        return {name, Status::warn,
                "unclean.leader.election.enable=true of __transaction_state: a broker that lacks its end may "
                "come to "
                "lead, and then events are lost or sent twice",
                alter("__transaction_state", "unclean.leader.election.enable=false", brokers)};
    }
    return {name, Status::ok, "the brokers' record of transactions stands"};
}

/// It comes with the first transaction.
Line judge_coming_state(const std::optional<kafka::Properties>& broker, int brokers) {
    constexpr auto name = "kafka transaction state";
    if (!broker) {
        return {name, Status::ok, "the brokers' record of transactions is made by the first of them"};
    }
    const auto replicas = number_of(*broker, "transaction.state.log.replication.factor", 3);
    if (replicas > brokers) {
        return {
            name, Status::fail,
            fmt::format(
                "transaction.state.log.replication.factor={} and {} broker{} alive: no transaction can "
                "begin",
                replicas, brokers, brokers == 1 ? " is" : "s are"),
            fmt::format(
                "set transaction.state.log.replication.factor={0} and transaction.state.log.min.isr={0} in "
                "every broker's server.properties, or start more brokers",
                brokers)};
    }
    return {name, Status::ok, "the brokers' record of transactions is made by the first of them"};
}

Line judge_time_limit(const std::optional<kafka::Properties>& broker, std::int64_t ours) {
    constexpr auto name = "kafka transaction timeout";
    if (!broker) {
        return {name, Status::skip,
                "this client may not see the brokers' settings (DescribeConfigs on the cluster), which it "
                "does not "
                "need otherwise"};
    }
    const auto most = number_of(*broker, "transaction.max.timeout.ms", 900'000);
    if (most < ours) {
        return {name, Status::fail,
                fmt::format(
                    "transaction.max.timeout.ms={} and this program asks for {}: no transaction can begin",
                    most, ours),
                fmt::format("set transaction.max.timeout.ms={} or more in every broker's server.properties",
                            ours)};
    }
    return {name, Status::ok, fmt::format("transaction.max.timeout.ms={}, and {} is asked for", most, ours)};
}

} // namespace

std::vector<Line> judge_greeting(const std::string& where, const kafka::Greeting& greeting,
                                 const Spoken& spoken) {
    using Step = kafka::Greeting::Step;
    std::vector<Line> lines;
    const bool done = greeting.failed == Step::done;
    if (greeting.failed == Step::tls) {
        lines.push_back({"kafka tls", Status::fail, greeting.why,
                         "look at KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_CA_FILE, KAFKA_SSL_CERTIFICATE_FILE and "
                         "KAFKA_SSL_KEY_FILE, and at the names in the broker's certificate"});
    } else {
        lines.push_back({"kafka tls", Status::ok,
                         spoken.tls
                             ? where + " is the one that its certificate says"
                             : "the connection is not encrypted; KAFKA_SECURITY_PROTOCOL asks for it"});
    }
    if (greeting.failed == Step::login) {
        lines.push_back({"kafka login", Status::fail, greeting.why,
                         "look at KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD (or KAFKA_SASL_PASSWORD_FILE) and "
                         "KAFKA_SASL_MECHANISM"});
    } else if (greeting.failed == Step::tls) {
        lines.push_back({"kafka login", Status::skip, "there is no secure connection"});
    } else {
        lines.push_back({"kafka login", Status::ok,
                         spoken.login ? where + " takes user " + spoken.user : "none is asked for"});
    }
    if (done) {
        lines.push_back(judge_release(where, greeting.release));
    } else if (greeting.failed == Step::ask) {
        lines.push_back(
            {"kafka version", Status::fail,
             fmt::format("{}: no broker of this kind answers there", greeting.why),
             "look at KAFKA_BROKERS and KAFKA_SECURITY_PROTOCOL: the port may be another listener's"});
    } else {
        lines.push_back({"kafka version", Status::skip, where + " was not asked"});
    }
    return lines;
}

Line judge_cluster(const std::optional<std::string>& mine, const std::string& found,
                   const std::string& brokers) {
    if (!mine) {
        return {"kafka cluster id", Status::ok, found + "; the outbox belongs to it from its first relay on"};
    }
    if (*mine != found) {
        return {"kafka cluster id", Status::fail,
                fmt::format("the cluster at {} is {}, and this database's outbox belongs to {}", brokers,
                            found, *mine),
                "look at KAFKA_BROKERS; where it is to belong to this one from now on: outbox-relay adopt"};
    }
    return {"kafka cluster id", Status::ok, found + " is the outbox's"};
}

std::vector<Line> judge_transactions(const TransactionFacts& facts, const std::string& brokers) {
    return {facts.state ? judge_transaction_state(*facts.state, brokers)
                        : judge_coming_state(facts.broker, facts.brokers),
            judge_time_limit(facts.broker, facts.timeout_ms)};
}

std::vector<Line> judge_topic(const TopicNeed& need, const kafka::TopicFacts& facts,
                              const delivery::TopicPolicy& policy) {
    const std::string name = "topic " + need.name;
    const auto waiting = need.events > 0 ? fmt::format("; {} unsent events go there", need.events) : "";
    if (facts.error == kafka::unknown_topic) {
        if (!policy.create) {
            return {{name, Status::fail, "it does not exist and KAFKA_CREATE_TOPICS is off" + waiting,
                     delivery::create_command(need.name, policy)}};
        }
        if (!need.would_be_refused.empty()) {
            return {{name, Status::fail,
                     fmt::format("it does not exist and cannot be created ({}){}", need.would_be_refused,
                                 waiting),
                     delivery::create_command(need.name, policy)}};
        }
        return {{name, Status::ok, "it does not exist, and is made when it is needed" + waiting}};
    }
    const auto verdict = delivery::judge(need.name, facts, policy);
    std::vector<Line> lines;
    if (verdict.kind != delivery::TopicVerdict::Kind::open) {
        lines.push_back(failed(name, verdict.reason));
        lines.back().message += waiting;
    } else {
        lines.push_back(
            {name, Status::ok,
             fmt::format("{} partition{}{}{}", facts.partitions(), facts.partitions() == 1 ? "" : "s",
                         facts.may_write ? ", may be written to" : "", waiting)});
    }
    if (facts.error != 0 && facts.error != kafka::leader_not_available) {
        return lines;
    }
    if (!facts.config) {
        lines.push_back(
            {name + " settings", Status::warn,
             "this client may not see them, so Kafka's own are taken for what the topic accepts",
             fmt::format("kafka-acls.sh --bootstrap-server {} --add --allow-principal User:<this one's> "
                         "--operation DescribeConfigs --topic {}",
                         policy.brokers, need.name)});
        return lines;
    }
    lines.push_back(judge_replicas(need, facts, policy.brokers));
    lines.push_back(judge_retention(need, verdict.limits, policy.brokers));
    lines.push_back(judge_timestamps(need, facts, verdict.limits, policy.brokers));
    lines.push_back(judge_keeping(need, *facts.config, policy.brokers));
    lines.push_back(judge_size(need, verdict.limits, policy.brokers));
    return lines;
}

} // namespace outbox::check
