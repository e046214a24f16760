// Reads a topic from its beginning to the high watermarks of now, committed records only. reconcile
// asks topics this way which events they hold, so a topic that lost records (retention, compaction) is
// told as not whole: what is missing there proves nothing.

#include "outbox/kafka/topic_reader.hpp"

#include "client/committed_reader.hpp"
#include "client/troubles.hpp"
#include "outbox/kafka/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace outbox::kafka {
namespace {

/// How far one partition was read, and how far it has to be.
struct Progress {
    std::int64_t position = 0;
    std::int64_t end = 0;

    [[nodiscard]] bool done() const { return position >= end; }
};

/// False for a compacted topic, in which an event may be gone that was delivered.
bool keeps_everything(const Admin& admin, const std::string& topic, Deadline deadline) {
    const auto config = admin.topic_config(topic, deadline);
    const auto policy = config.find("cleanup.policy");
    return policy == config.end() || policy->second.find("compact") == std::string::npos;
}

} // namespace

TopicExtent read_topic(const ClientOptions& options, const Admin& admin, const std::string& topic,
                       milliseconds patience, const std::function<bool(const CommittedRecord&)>& seen) {
    const auto state = admin.topic(topic, Deadline::in(patience));
    if (!state) {
        return {};
    }
    TopicExtent extent{true, keeps_everything(admin, topic, Deadline::in(patience)), false};
    std::vector<Progress> progress;
    PartitionList list(rd_kafka_topic_partition_list_new(state->partitions()));
    for (std::int32_t partition = 0; partition < state->partitions(); ++partition) {
        const auto [first, end] = admin.watermarks(topic, partition, Deadline::in(patience));
        extent.whole = extent.whole && first == 0;
        extent.written = extent.written || end > 0;
        progress.push_back({first, end});
        rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = first;
    }
    const Client reader = committed_reader(options);
    if (const auto error = rd_kafka_assign(reader.get(), list.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw KafkaError(error, fmt::format("assign {}", topic));
    }
    const auto done = [&] {
        return std::all_of(progress.begin(), progress.end(),
                           [](const Progress& each) { return each.done(); });
    };
    Deadline deadline = Deadline::in(patience);
    while (!done()) {
        if (deadline.passed()) {
            throw error_of(
                reader.get(), RD_KAFKA_RESP_ERR__TIMED_OUT,
                fmt::format("topic {} could not be read to its end: an open transaction holds it back,"
                            " or its leader is away",
                            topic));
        }
        const MessageHandle message(rd_kafka_consumer_poll(reader.get(), 100));
        if (!message) {
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            // At its end a partition says where that is; behind it only aborted records and
            // markers may stand.
            auto& at = progress.at(static_cast<std::size_t>(message->partition)).position;
            at = std::max(at, message->offset);
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            progress.at(static_cast<std::size_t>(message->partition)).position = message->offset + 1;
            if (!seen({message->partition,
                       message->offset,
                       {static_cast<const char*>(message->payload), message->len},
                       headers_of(*message)})) {
                break;
            }
            // Progress renews the patience: a large topic may take long, and only standing
            // still is a failure.
            deadline = Deadline::in(patience);
        } else if (ends_read(message->err)) {
            throw KafkaError(message->err, fmt::format("topic {} [{}]", topic, message->partition));
        }
    }
    return extent;
}

} // namespace outbox::kafka
