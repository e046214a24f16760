#include "outbox/support/topics.hpp"

#include "client.hpp"

#include <outbox/support/wait.hpp>

#include <array>
#include <stdexcept>

namespace outbox::support {
namespace {

using namespace std::chrono_literals;
using Unwanted = Handle<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;

} // namespace

void delete_topics(const std::vector<std::string>& names) {
    std::vector<Unwanted> unwanted;
    std::vector<rd_kafka_DeleteTopic_t*> pointers;
    pointers.reserve(names.size());
    for (const auto& name : names) {
        pointers.push_back(unwanted.emplace_back(rd_kafka_DeleteTopic_new(name.c_str())).get());
    }
    const Client client = make_client(RD_KAFKA_PRODUCER);
    const Queue queue(rd_kafka_queue_new(client.get()));
    rd_kafka_DeleteTopics(client.get(), pointers.data(), pointers.size(), nullptr, queue.get());
    const Reply answer = reply(queue.get(), "delete topics");
    std::size_t count = 0;
    const auto* const* results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto code = rd_kafka_topic_result_error(results[i]);
        if (code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
            check(code, "delete topics");
        }
    }
}

TopicShape shape_of(const std::string& topic) {
    const Client client = make_client(RD_KAFKA_PRODUCER);
    const auto metadata = metadata_of_all(client.get());
    const auto* found = find_topic(*metadata, topic);
    if (found == nullptr || found->partition_cnt == 0) {
        return {};
    }
    return {found->partition_cnt, found->partitions[0].replica_cnt};
}

void create_topic(const std::string& name, int partitions, const std::map<std::string, std::string>& config,
                  std::vector<std::int32_t> brokers) {
    const Client admin = make_client(RD_KAFKA_PRODUCER);
    const Queue queue(rd_kafka_queue_new(admin.get()));
    std::array<char, 512> reason{};
    auto* wanted = rd_kafka_NewTopic_new(name.c_str(), partitions, brokers.empty() ? 1 : -1, reason.data(),
                                         reason.size());
    for (std::int32_t partition = 0; !brokers.empty() && partition < partitions; ++partition) {
        rd_kafka_NewTopic_set_replica_assignment(wanted, partition, brokers.data(), brokers.size(),
                                                 reason.data(), reason.size());
    }
    for (const auto& [key, value] : config) {
        rd_kafka_NewTopic_set_config(wanted, key.c_str(), value.c_str());
    }
    rd_kafka_CreateTopics(admin.get(), &wanted, 1, nullptr, queue.get());
    rd_kafka_NewTopic_destroy(wanted);
    const Reply done = reply(queue.get(), "create " + name);
    std::size_t count = 0;
    const auto* const* results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(done.get()), &count);
    check(rd_kafka_topic_result_error(results[0]), "create " + name);
    if (!wait_until([&] { return partitions_of(admin.get(), name) == partitions; }, 30s)) {
        throw std::runtime_error("topic " + name + " does not appear");
    }
}

void add_partitions(const std::string& name, int partitions) {
    const Client admin = make_client(RD_KAFKA_PRODUCER);
    const Queue queue(rd_kafka_queue_new(admin.get()));
    std::array<char, 512> reason{};
    auto* wanted = rd_kafka_NewPartitions_new(name.c_str(), static_cast<std::size_t>(partitions),
                                              reason.data(), reason.size());
    rd_kafka_CreatePartitions(admin.get(), &wanted, 1, nullptr, queue.get());
    rd_kafka_NewPartitions_destroy(wanted);
    reply(queue.get(), "add partitions to " + name);
    if (!wait_until([&] { return partitions_of(admin.get(), name) == partitions; }, 30s)) {
        throw std::runtime_error("topic " + name + " does not grow");
    }
}

void delete_topic(const std::string& name) {
    const Client admin = make_client(RD_KAFKA_PRODUCER);
    const Queue queue(rd_kafka_queue_new(admin.get()));
    auto* unwanted = rd_kafka_DeleteTopic_new(name.c_str());
    rd_kafka_DeleteTopics(admin.get(), &unwanted, 1, nullptr, queue.get());
    rd_kafka_DeleteTopic_destroy(unwanted);
    reply(queue.get(), "delete " + name);
    if (!wait_until([&] { return partitions_of(admin.get(), name) == 0; }, 30s)) {
        throw std::runtime_error("topic " + name + " does not go");
    }
}

void produce(const std::string& name, const std::map<std::string, std::string>& headers) {
    const Client producer = make_client(RD_KAFKA_PRODUCER);
    auto* list = rd_kafka_headers_new(headers.size());
    for (const auto& [header, value] : headers) {
        rd_kafka_header_add(list, header.data(), static_cast<ssize_t>(header.size()), value.data(),
                            static_cast<ssize_t>(value.size()));
    }
    check(rd_kafka_producev(producer.get(), RD_KAFKA_V_TOPIC(name.c_str()), RD_KAFKA_V_HEADERS(list),
                            RD_KAFKA_V_END),
          "produce to " + name);
    check(rd_kafka_flush(producer.get(), patience_ms), "flush " + name);
}

void alter_topic(const std::string& name, const std::map<std::string, std::string>& config) {
    const Client admin = make_client(RD_KAFKA_PRODUCER);
    const Queue queue(rd_kafka_queue_new(admin.get()));
    auto* wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str());
    for (const auto& [key, value] : config) {
        rd_kafka_ConfigResource_set_config(wanted, key.c_str(), value.c_str());
    }
    rd_kafka_AlterConfigs(admin.get(), &wanted, 1, nullptr, queue.get());
    rd_kafka_ConfigResource_destroy(wanted);
    const Reply done = reply(queue.get(), "alter " + name);
    std::size_t count = 0;
    const auto* const* results =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(done.get()), &count);
    check(rd_kafka_ConfigResource_error(results[0]), "alter " + name);
}

namespace {

using Acl = Handle<rd_kafka_AclBinding_t, rd_kafka_AclBinding_destroy>;

/// The broker takes rights for granted where nobody gave any.
Acl allowed(const std::string& topic, rd_kafka_AclOperation_t operation,
            rd_kafka_AclPermissionType_t permission = RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW) {
    std::array<char, 512> reason{};
    return Acl(rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str(),
                                       RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:*", "*", operation,
                                       permission, reason.data(), reason.size()));
}

} // namespace

void allow_reading_only(const std::string& name) {
    const Client admin = make_client(RD_KAFKA_PRODUCER);
    const Queue queue(rd_kafka_queue_new(admin.get()));
    const std::array owned{allowed(name, RD_KAFKA_ACL_OPERATION_READ),
                           allowed(name, RD_KAFKA_ACL_OPERATION_DESCRIBE),
                           allowed(name, RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS)};
    std::array wanted{owned[0].get(), owned[1].get(), owned[2].get()};
    rd_kafka_CreateAcls(admin.get(), wanted.data(), wanted.size(), nullptr, queue.get());
    reply(queue.get(), "restrict " + name);
}

void deny_describing(const std::string& name) {
    const Client admin = make_client(RD_KAFKA_PRODUCER);
    const Queue queue(rd_kafka_queue_new(admin.get()));
    const std::array owned{allowed(name, RD_KAFKA_ACL_OPERATION_ALL),
                           allowed(name, RD_KAFKA_ACL_OPERATION_DESCRIBE, RD_KAFKA_ACL_PERMISSION_TYPE_DENY)};
    std::array wanted{owned[0].get(), owned[1].get()};
    rd_kafka_CreateAcls(admin.get(), wanted.data(), wanted.size(), nullptr, queue.get());
    reply(queue.get(), "hide " + name);
}

void allow_all(const std::string& name) {
    const Client admin = make_client(RD_KAFKA_PRODUCER);
    const Queue queue(rd_kafka_queue_new(admin.get()));
    std::array<char, 512> reason{};
    auto* filter = rd_kafka_AclBindingFilter_new(
        RD_KAFKA_RESOURCE_TOPIC, name.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, nullptr, nullptr,
        RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, reason.data(), reason.size());
    const Acl owned(filter);
    rd_kafka_DeleteAcls(admin.get(), &filter, 1, nullptr, queue.get());
    reply(queue.get(), "free " + name);
}

std::int32_t leader_of(const std::string& topic, std::int32_t partition) {
    const Client handle = make_client(RD_KAFKA_PRODUCER);
    const auto metadata = metadata_of_all(handle.get());
    const auto* found = find_topic(*metadata, topic);
    return found == nullptr || found->partition_cnt <= partition ? -1 : found->partitions[partition].leader;
}

} // namespace outbox::support
