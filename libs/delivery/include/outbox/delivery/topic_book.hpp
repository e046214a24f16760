#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::delivery {

/// Why a record cannot be sent.
struct Refusal {
    int code = 0; ///< Kafka's error; 0: on_before_publish threw
    std::string reason;
};

/// What may be sent to a topic now.
struct TopicVerdict {
    enum class Kind {
        open,    ///< send
        refused, ///< no event may name it: an attempt of the event is spent
        parked,  ///< it takes nothing at all: wait, no attempt is spent
        given_up ///< that has lasted longer than an operator wants to wait: the event is FAILED at once
    };
    Kind kind = Kind::open;
    std::int32_t partitions = 0;
    kafka::TopicLimits limits;
    int code = 0; ///< Kafka's error, of a topic that is not open
    std::string reason;
    bool made = false; ///< just now: it was missing
};

/// What is not sent for now, because its topic takes nothing or a marker is missing.
struct LeftOut {
    std::set<std::string, std::less<>> topics; ///< of Kafka
    std::vector<std::string> row_topics;       ///< what rows name that go there, as far as is known
    std::set<std::string, std::less<>> trials; ///< topics that one event, alone, is to try
};

/// What the shards of a relay ask about topics, and tell each other of them. Thread-safe.
class TopicBook {
public:
    TopicBook() = default;
    TopicBook(const TopicBook&) = delete;
    TopicBook& operator=(const TopicBook&) = delete;
    virtual ~TopicBook() = default;

    /// Looks a topic up, makes it when it is missing and that is wished. Verdicts are kept for a while.
    /// @param not_before  answers that are older than this do not count
    /// @throws KafkaError with blame nobody or setup when the cluster cannot answer.
    virtual TopicVerdict look_up(const std::string& name, Deadline deadline,
                                 SteadyClock::time_point not_before) = 0;

    /// A transaction that held records for these topics failed: asks brokers about them.
    /// @return those that explain it: they take nothing, or were missing. @throws KafkaError when the cluster
    /// cannot answer
    virtual std::set<std::string, std::less<>> find_culprits(const std::set<std::string, std::less<>>& names,
                                                             Deadline deadline) = 0;

    /// A transaction with nothing but this topic was refused, though brokers say nothing against it.
    virtual void refuse(const std::string& name, const Refusal& why) = 0;
    /// A transaction with records for it was committed.
    virtual void took(std::string_view name) = 0;
    /// The shard was to try this topic and has no event for it.
    virtual void not_tried(std::string_view name, int shard) = 0;

    /// Leaders may have moved: ask again at the next use.
    virtual void forget() = 0;

    /// Rows of the shard that name `row_topic` go to this topic, which is parked; by a template it may have
    /// another name.
    virtual void note_parked(std::string_view name, std::string_view row_topic, int shard) = 0;

    /// Topics that take nothing at the moment, but for those that this shard is to try.
    [[nodiscard]] virtual LeftOut left_out(int shard) = 0;
    /// The same of one topic.
    [[nodiscard]] virtual bool is_left_out(const std::string& name, int shard) = 0;
    /// Whether a topic waits to be tried by some shard.
    [[nodiscard]] virtual bool needs_try() const = 0;

    /// Smallest max.message.bytes of the topics in use; record batches must not be larger.
    [[nodiscard]] virtual std::int64_t smallest_batch_limit() = 0;
};

} // namespace outbox::delivery
