#pragma once

#include <outbox/kafka/admin.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::relay {

struct TopicPolicy {
    std::string brokers; ///< for commands that a person shall type
    bool create = true;
    std::int32_t partitions = 6;
    std::int32_t replication = -1;                                     ///< -1: the broker's default
    milliseconds metadata_interval = kafka::default_metadata_interval; ///< how long an answer is believed
};

/// Why a record cannot be sent.
struct Refusal {
    int code = 0; ///< Kafka's error; 0: on_before_publish threw
    std::string reason;
};

/// What may be sent to a topic now.
struct TopicVerdict {
    enum class Kind {
        open,    ///< send
        refused, ///< cannot be sent to, by its own fault: an attempt is spent
        parked   ///< a leader is away: wait, no attempt is spent
    };
    Kind kind = Kind::open;
    std::int32_t partitions = 0;
    kafka::TopicLimits limits;
    int code = 0; ///< Kafka's error, of a topic that is refused
    std::string reason;
};

/// What is not sent for now, because a leader or a marker is missing.
struct LeftOut {
    std::set<std::string, std::less<>> topics; ///< of Kafka
    std::vector<std::string> row_topics;       ///< what rows name that go there, as far as is known
};

/// What is known about the topics, shared by the shards of one relay. Thread-safe.
class Topics {
public:
    Topics(const kafka::Admin& admin, TopicPolicy policy) : admin_(admin), policy_(std::move(policy)) {}

    /// Looks a topic up, makes it when it is missing and that is wished. Verdicts are kept for a while.
    /// @throws KafkaError with blame nobody or setup when the cluster cannot answer.
    TopicVerdict look_up(const std::string& name, Deadline deadline);

    /// A transaction was refused because of this topic: rows for it are refused for some time.
    void refuse(const std::string& name, const Refusal& why);

    /// Leaders may have moved: ask again at the next use.
    void forget();

    /// An operator has mended something: what was refused is asked for again.
    void forget_refusals();

    /// Rows that name `row_topic` go to this topic, which is parked; by a template it may have another name.
    void note_parked(std::string_view name, std::string_view row_topic);

    /// Topics whose leader is away at the moment.
    [[nodiscard]] LeftOut parked();

    /// Smallest max.message.bytes of the topics in use; record batches must not be larger.
    [[nodiscard]] std::int64_t smallest_batch_limit();

private:
    struct Known {
        TopicVerdict verdict;
        SteadyClock::time_point until;
        int refusals = 0;
        std::set<std::string, std::less<>> row_topics; ///< while parked
    };

    std::optional<TopicVerdict> recall(const std::string& name);
    void drop_expired();
    TopicVerdict keep(const std::string& name, TopicVerdict verdict);
    TopicVerdict ask(const std::string& name, Deadline deadline) const;
    [[nodiscard]] TopicVerdict missing(const std::string& name, Deadline deadline) const;

    const kafka::Admin& admin_;
    TopicPolicy policy_;
    std::timed_mutex asking_; ///< held while Kafka is asked, so that one shard does it for all
    std::mutex mutex_;        ///< of what follows; never held while anybody waits
    std::map<std::string, Known, std::less<>> known_;
};

/// The command that makes a topic by hand.
std::string create_command(const std::string& topic, const TopicPolicy& policy);

} // namespace outbox::relay
