#pragma once

#include <outbox/core/handle.hpp>
#include <outbox/inbox/inbox.hpp>

#include <librdkafka/rdkafka.h>

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace example {

struct Record {
    outbox::inbox::Message message;
    std::string key;
    std::string value;
};

struct Membership {
    std::string brokers;
    std::string group;
    std::string
        instance; ///< stays the same over restarts, so that a quick one moves no partition; may be empty
    std::string topic;
};

/// A member of a consumer group that starts where the database says, not where Kafka does.
class Group {
public:
    using FindStart =
        std::function<std::optional<std::int64_t>(const std::string& topic, std::int32_t partition)>;

    /// @param find_start  asked for each partition that this member gets; nullopt: the beginning.
    Group(const Membership& membership, FindStart find_start);
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    ~Group();

    /// Up to `limit` records in the order of each partition; none after a short wait without any.
    /// @throws std::runtime_error when Kafka refuses, and what find_start throws.
    std::vector<Record> take(std::size_t limit);

private:
    static void on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t event,
                             rd_kafka_topic_partition_list_t* partitions, void* self);
    void assign(rd_kafka_topic_partition_list_t& partitions);
    bool poll(int wait_ms);

    outbox::Handle<rd_kafka_t, rd_kafka_destroy> handle_;
    FindStart find_start_;
    std::vector<Record> gathered_;
    std::exception_ptr failure_; ///< of a callback: C code cannot pass it on
};

} // namespace example
