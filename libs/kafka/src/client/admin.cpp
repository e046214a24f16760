// Questions about the cluster, and topics that are made. Each question has a deadline, and waits for a
// broker that is away until then, because after an outage the first question would else decide too
// early. Nothing here makes a topic by asking for it.

#include "outbox/kafka/admin.hpp"

#include "client/configuration.hpp"
#include "client/troubles.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <span>
#include <thread>

namespace outbox::kafka {
namespace {

using Queue = Handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Event = Handle<rd_kafka_event_t, rd_kafka_event_destroy>;
using AdminOptions = Handle<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using NewTopicHandle = Handle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using NewPartitionsHandle = Handle<rd_kafka_NewPartitions_t, rd_kafka_NewPartitions_destroy>;
using Resource = Handle<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;

void free_metadata(const rd_kafka_metadata_t* metadata) {
    rd_kafka_metadata_destroy(metadata);
}
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, decltype(&free_metadata)>;

/// Errors after which the same question may be answered a moment later.
bool lets_ask_again(rd_kafka_resp_err_t error) {
    return error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

/// At least one: librdkafka takes 0 for "do not wait" and -1 for "for ever".
int milliseconds_left(Deadline deadline) {
    return static_cast<int>(std::max(deadline.left(), milliseconds(1)).count());
}

/// A request's own timeout, and for changes the time that the brokers may take for them.
AdminOptions options_for(rd_kafka_t* client, rd_kafka_admin_op_t operation, Deadline deadline) {
    AdminOptions options(rd_kafka_AdminOptions_new(client, operation));
    std::array<char, 256> why{};
    rd_kafka_AdminOptions_set_request_timeout(options.get(), std::max(milliseconds_left(deadline), 100),
                                              why.data(), why.size());
    if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS || operation == RD_KAFKA_ADMIN_OP_CREATEPARTITIONS) {
        rd_kafka_AdminOptions_set_operation_timeout(options.get(), std::max(milliseconds_left(deadline), 100),
                                                    why.data(), why.size());
    }
    return options;
}

/// A client that waits for a broker does not always see its return, so it is asked again and again. A broker
/// that is slow to answer gets longer each time.
/// @param topic  null: of the cluster
Metadata metadata_of(rd_kafka_t* client, rd_kafka_topic_t* topic, Deadline deadline,
                     const std::string& what) {
    milliseconds patience{500};
    while (true) {
        const rd_kafka_metadata_t* raw = nullptr;
        const auto error =
            rd_kafka_metadata(client, 0, topic, &raw, milliseconds_left(deadline.at_most(patience)));
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return {raw, free_metadata};
        }
        if (!lets_ask_again(error) || deadline.passed()) {
            throw error_of(client, error, "metadata of " + what);
        }
        if (error == RD_KAFKA_RESP_ERR__TIMED_OUT) {
            patience *= 2;
        }
        std::this_thread::sleep_for(milliseconds(20));
    }
}

/// The answer to an admin request. A little longer than the request's own timeout, so that the client's
/// error comes and not ours.
Event result_of(rd_kafka_t* client, rd_kafka_queue_t* queue, Deadline deadline, const std::string& what) {
    Event event(rd_kafka_queue_poll(queue, milliseconds_left(deadline) + 200));
    if (!event) {
        throw error_of(client, RD_KAFKA_RESP_ERR__TIMED_OUT, what + ": no answer in time");
    }
    if (const auto error = rd_kafka_event_error(event.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw error_of(client, error, what + ": " + rd_kafka_event_error_string(event.get()));
    }
    return event;
}

/// @param done_already  by somebody who was faster
void check_topics(std::span<const rd_kafka_topic_result_t* const> results, rd_kafka_resp_err_t done_already,
                  const std::string& what) {
    for (const rd_kafka_topic_result_t* result : results) {
        const auto error = rd_kafka_topic_result_error(result);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != done_already) {
            const char* text = rd_kafka_topic_result_error_string(result);
            throw KafkaError(error, what + ": " + (text == nullptr ? "refused" : text));
        }
    }
}

/// A resource's settings by name; those without a value are left out.
Properties entries_of(const rd_kafka_ConfigResource_t* resource) {
    std::size_t count = 0;
    const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(resource, &count);
    Properties properties;
    for (std::size_t i = 0; i < count; ++i) {
        if (const char* value = rd_kafka_ConfigEntry_value(entries[i])) {
            properties[rd_kafka_ConfigEntry_name(entries[i])] = value;
        }
    }
    return properties;
}

/// A topic's setting as a number, or the fallback where the broker does not have that setting.
std::int64_t number_or(const Properties& config, const std::string& name, std::int64_t fallback) {
    const auto found = config.find(name);
    return found == config.end() ? fallback : std::stoll(found->second);
}

/// The same for a setting that is text.
std::string text_or(const Properties& config, const std::string& name, const std::string& fallback) {
    const auto found = config.find(name);
    return found == config.end() ? fallback : found->second;
}

/// What brokers take where retention.ms is not in their answer.
constexpr std::int64_t default_retention_ms = 7LL * 24 * 3'600'000;

} // namespace

/// A partition without a leader takes nothing; -1 stands for it.
bool TopicState::led() const noexcept {
    return std::none_of(leaders.begin(), leaders.end(), [](std::int32_t leader) { return leader < 0; });
}

/// Kafka's own rule for names. It is checked here so that a bad name is refused before brokers are
/// asked.
bool is_topic_name(std::string_view name) noexcept {
    constexpr std::size_t longest = 249;
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    };
    return !name.empty() && name.size() <= longest && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(), allowed);
}

/// Topics that Kafka keeps for itself; an event in one of them could break the cluster's own work.
bool is_internal_topic(std::string_view name) noexcept {
    constexpr std::array names{"__consumer_offsets", "__transaction_state", "__share_group_state",
                               "__cluster_metadata", "__remote_log_metadata"};
    return std::ranges::find(names, name) != names.end();
}

TopicLimits limits_from(const Properties& config) {
    TopicLimits limits;
    // Brokers before 3.6 have one limit for both directions, and those before 4.0 have it as well.
    const auto difference =
        number_or(config, "message.timestamp.difference.max.ms", std::numeric_limits<std::int64_t>::max());
    limits.max_message_bytes = number_or(config, "max.message.bytes", limits.max_message_bytes);
    limits.timestamp_before_max_ms = std::min(
        difference, number_or(config, "message.timestamp.before.max.ms", limits.timestamp_before_max_ms));
    limits.timestamp_after_max_ms = std::min(
        difference, number_or(config, "message.timestamp.after.max.ms", limits.timestamp_after_max_ms));
    // The producer's timestamp decides when a record is deleted, unless the broker writes one of its own.
    if (text_or(config, "cleanup.policy", "delete").find("delete") != std::string::npos &&
        text_or(config, "message.timestamp.type", "CreateTime") == "CreateTime") {
        const auto retention = number_or(config, "retention.ms", default_retention_ms);
        limits.kept_ms = retention < 0 ? limits.kept_ms : retention;
    }
    return limits;
}

// A consumer's handle: its metadata requests never make a topic, and its watermarks are not held back
// by open transactions.
Admin::Admin(const ClientOptions& options)
    : options_(options),
      client_(make_client(RD_KAFKA_CONSUMER,
                          make_configuration(options, {{"isolation.level", "read_uncommitted"},
                                                       {"allow.auto.create.topics", "false"}}))),
      brokers_(options.brokers) {}

/// A client that lives long gets the password that the file holds now, before the question.
void Admin::take_up_password() const {
    if (options_.secret_files.contains("sasl.password")) {
        const auto security = security_now(options_);
        const Handle<rd_kafka_error_t, rd_kafka_error_destroy> refused(rd_kafka_sasl_set_credentials(
            client_.get(), security.at("sasl.username").c_str(), security.at("sasl.password").c_str()));
    }
}

/// Any broker that answers is enough; none in time is an error.
std::string Admin::cluster_id(Deadline deadline) const {
    take_up_password();
    char* id = rd_kafka_clusterid(client_.get(), milliseconds_left(deadline));
    if (id == nullptr) {
        throw error_of(client_.get(), RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
                       "no Kafka broker answered in time at " + brokers_);
    }
    std::string copy = id;
    rd_kafka_mem_free(client_.get(), id);
    return copy;
}

/// Addresses as the brokers advertise them, for connections of our own.
std::map<std::int32_t, Address> Admin::brokers(Deadline deadline) const {
    take_up_password();
    const Metadata metadata = metadata_of(client_.get(), nullptr, deadline, "the cluster");
    std::map<std::int32_t, Address> brokers;
    for (int i = 0; i < metadata->broker_cnt; ++i) {
        const rd_kafka_metadata_broker_t& broker = metadata->brokers[i];
        brokers[broker.id] = {broker.host, broker.port};
    }
    if (brokers.empty()) {
        throw KafkaError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "metadata of the cluster names no broker");
    }
    return brokers;
}

/// A topic without leaders exists: it is told apart from one that there is not, because it must not be
/// made.
std::optional<TopicState> Admin::topic(const std::string& name, Deadline deadline) const {
    const Topic handle(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
    const Metadata metadata = metadata_of(client_.get(), handle.get(), deadline, "topic " + name);
    if (metadata->topic_cnt != 1) {
        return std::nullopt;
    }
    const rd_kafka_metadata_topic_t& found = metadata->topics[0];
    if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return std::nullopt;
    }
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR && found.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        throw KafkaError(found.err, fmt::format("metadata of topic {}", name));
    }
    TopicState state;
    state.leaders.assign(static_cast<std::size_t>(found.partition_cnt), -1);
    for (int i = 0; i < found.partition_cnt; ++i) {
        state.leaders.at(static_cast<std::size_t>(found.partitions[i].id)) = found.partitions[i].leader;
    }
    return state;
}

/// All settings of one topic. The brokers' defaults are among them.
Properties Admin::topic_config(const std::string& name, Deadline deadline) const {
    return config_of(RD_KAFKA_RESOURCE_TOPIC, name, fmt::format("configuration of topic {}", name), deadline);
}

Properties Admin::broker_config(std::int32_t broker, Deadline deadline) const {
    return config_of(RD_KAFKA_RESOURCE_BROKER, std::to_string(broker),
                     fmt::format("configuration of broker {}", broker), deadline);
}

/// @param kind  librdkafka's, of what the name stands for
Properties Admin::config_of(int kind, const std::string& name, const std::string& what,
                            Deadline deadline) const {
    const Queue queue(rd_kafka_queue_new(client_.get()));
    const auto options = options_for(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, deadline);
    const Resource resource(
        rd_kafka_ConfigResource_new(static_cast<rd_kafka_ResourceType_t>(kind), name.c_str()));
    std::array resources{resource.get()};
    rd_kafka_DescribeConfigs(client_.get(), resources.data(), resources.size(), options.get(), queue.get());
    const Event event = result_of(client_.get(), queue.get(), deadline, what);
    std::size_t count = 0;
    const auto* found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    if (count != 1) {
        throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG, what + ": the answer does not name it");
    }
    if (const auto error = rd_kafka_ConfigResource_error(found[0]); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* why = rd_kafka_ConfigResource_error_string(found[0]);
        throw KafkaError(error, what + ": " + (why == nullptr ? "refused" : why));
    }
    return entries_of(found[0]);
}

/// The same for many topics with one request. Topics that refuse are left out, for one that may not be
/// described must not hide the others; any other failure ends the question.
std::map<std::string, Properties> Admin::topic_configs(const std::vector<std::string>& names,
                                                       Deadline deadline) const {
    std::map<std::string, Properties> all;
    if (names.empty()) {
        return all;
    }
    const std::string what = fmt::format("configuration of {} topics", names.size());
    const Queue queue(rd_kafka_queue_new(client_.get()));
    const auto options = options_for(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, deadline);
    std::vector<Resource> owned;
    std::vector<rd_kafka_ConfigResource_t*> resources;
    for (const std::string& name : names) {
        resources.push_back(
            owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str())).get());
    }
    rd_kafka_DescribeConfigs(client_.get(), resources.data(), resources.size(), options.get(), queue.get());
    const Event event = result_of(client_.get(), queue.get(), deadline, what);
    std::size_t count = 0;
    const auto* found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto error = rd_kafka_ConfigResource_error(found[i]);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
            all[rd_kafka_ConfigResource_name(found[i])] = entries_of(found[i]);
        } else if (blame_for(error) != Blame::topic) {
            throw KafkaError(error, what);
        }
    }
    return all;
}

/// That somebody was faster is no failure: relays start together. Waits until the topic can take
/// records.
void Admin::create_topic(const NewTopic& topic, Deadline deadline) const {
    request_topic(topic, false, deadline);
    wait_for_leaders(topic.name, 1, deadline);
}

void Admin::would_create(const NewTopic& topic, Deadline deadline) const {
    request_topic(topic, true, deadline);
}

void Admin::request_topic(const NewTopic& topic, bool only_look, Deadline deadline) const {
    const std::string what = fmt::format("create topic {}", topic.name);
    std::array<char, 512> why{};
    const NewTopicHandle request(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions,
                                                       topic.replication, why.data(), why.size()));
    if (!request) {
        throw KafkaError(RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, what + ": " + why.data());
    }
    for (const auto& [name, value] : topic.config) {
        rd_kafka_NewTopic_set_config(request.get(), name.c_str(), value.c_str());
    }
    const Queue queue(rd_kafka_queue_new(client_.get()));
    const auto options = options_for(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, deadline);
    rd_kafka_AdminOptions_set_validate_only(options.get(), only_look ? 1 : 0, why.data(), why.size());
    std::array topics{request.get()};
    rd_kafka_CreateTopics(client_.get(), topics.data(), topics.size(), options.get(), queue.get());
    const Event event = result_of(client_.get(), queue.get(), deadline, what);
    std::size_t count = 0;
    const auto* results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
    check_topics({results, count}, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, what);
}

/// As for create_topic, one that has the partitions already is no failure.
void Admin::add_partitions(const std::string& topic, std::int32_t total, Deadline deadline) const {
    const std::string what = fmt::format("raise topic {} to {} partitions", topic, total);
    std::array<char, 512> why{};
    const NewPartitionsHandle request(
        rd_kafka_NewPartitions_new(topic.c_str(), static_cast<std::size_t>(total), why.data(), why.size()));
    if (!request) {
        throw KafkaError(RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, what + ": " + why.data());
    }
    const Queue queue(rd_kafka_queue_new(client_.get()));
    const auto options = options_for(client_.get(), RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, deadline);
    std::array topics{request.get()};
    rd_kafka_CreatePartitions(client_.get(), topics.data(), topics.size(), options.get(), queue.get());
    const Event event = result_of(client_.get(), queue.get(), deadline, what);
    std::size_t count = 0;
    const auto* results =
        rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event.get()), &count);
    check_topics({results, count}, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, what);
    wait_for_leaders(topic, total, deadline);
}

/// Brokers answer "created" before every partition has a leader, and the first transaction would then
/// wait.
void Admin::wait_for_leaders(const std::string& name, std::int32_t partitions, Deadline deadline) const {
    while (true) {
        if (const auto state = topic(name, deadline);
            state && state->partitions() >= partitions && state->led()) {
            return;
        }
        if (deadline.passed()) {
            throw KafkaError(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
                             fmt::format("topic {}: no leaders of {} partitions in time", name, partitions));
        }
        std::this_thread::sleep_for(milliseconds(20));
    }
}

/// The first offset that is kept and the one after the last, asked of the leader and not remembered.
std::pair<std::int64_t, std::int64_t> Admin::watermarks(const std::string& topic, std::int32_t partition,
                                                        Deadline deadline) const {
    // A leader that was just chosen, as for a new topic, may not know of it yet.
    while (true) {
        std::int64_t low = 0;
        std::int64_t high = 0;
        const auto error = rd_kafka_query_watermark_offsets(client_.get(), topic.c_str(), partition, &low,
                                                            &high, milliseconds_left(deadline));
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return {low, high};
        }
        if (!passes_soon(error) || deadline.passed()) {
            throw error_of(client_.get(), error, fmt::format("watermarks of {} [{}]", topic, partition));
        }
        std::this_thread::sleep_for(milliseconds(20));
    }
}

} // namespace outbox::kafka
