#pragma once

#include <outbox/delivery/outages.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/topic_survey.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::delivery {

struct TopicPolicy {
    std::string brokers; ///< for commands that a person shall type
    bool create = true;
    std::int32_t partitions = 6;
    std::int32_t replication = -1;                                     ///< -1: the broker's default
    milliseconds metadata_interval = kafka::default_metadata_interval; ///< how long an answer is believed
    std::string control_topic;     ///< of this outbox: is never made by asking for it
    std::string dead_letter_topic; ///< empty: none; while it takes nothing, no topic's events are given up
    OutagePolicy outage;
    bool announce = true; ///< outages are logged; off: whoever asks says what it was told
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

/// What brokers said about a topic, judged. Says nothing about whether it is some outbox's control topic. No
/// I/O.
/// @pre the topic exists
TopicVerdict judge(const std::string& name, const kafka::TopicFacts& facts, const TopicPolicy& policy);

/// What is known about the topics, shared by the shards of one relay. Thread-safe.
class Topics {
public:
    /// @param changed  called, from any thread, when a topic takes nothing any more, or takes records again
    Topics(
        const kafka::Admin& admin, const kafka::ClientOptions& client, TopicPolicy policy,
        std::function<void()> changed = [] {});

    /// Looks a topic up, makes it when it is missing and that is wished. Verdicts are kept for a while.
    /// @param not_before  answers that are older than this do not count
    /// @throws KafkaError with blame nobody or setup when the cluster cannot answer.
    TopicVerdict look_up(const std::string& name, Deadline deadline, SteadyClock::time_point not_before = {});

    /// A transaction that held records for these topics failed: asks brokers about them.
    /// @return those that explain it: they take nothing, or were missing. @throws KafkaError when the cluster
    /// cannot answer
    std::set<std::string, std::less<>> find_culprits(const std::set<std::string, std::less<>>& names,
                                                     Deadline deadline);

    /// A transaction with nothing but this topic was refused, though brokers say nothing against it.
    void refuse(const std::string& name, const Refusal& why);
    /// A transaction with records for it was committed.
    void took(std::string_view name);
    /// The shard was to try this topic and has no event for it.
    void not_tried(std::string_view name, int shard);

    /// Leaders may have moved: ask again at the next use.
    void forget();
    /// An operator has mended something: ask again about parked topics now, about the others at the next use.
    void ask_anew();

    /// Rows of the shard that name `row_topic` go to this topic, which is parked; by a template it may have
    /// another name.
    void note_parked(std::string_view name, std::string_view row_topic, int shard);

    /// Topics that take nothing at the moment, but for those that this shard is to try.
    [[nodiscard]] LeftOut left_out(int shard);
    /// The same of one topic.
    [[nodiscard]] bool is_left_out(const std::string& name, int shard);
    /// Whether a topic waits to be tried by some shard.
    [[nodiscard]] bool needs_try() const;
    [[nodiscard]] std::vector<Outage> outages() const;
    /// What rows name that go to parked topics, as far as is known, by topic.
    [[nodiscard]] std::map<std::string, std::vector<std::string>> parked_row_topics() const;
    /// No event waits for the topic any more: what it refuses is nobody's concern.
    void drop_outage(std::string_view name);

    /// Asks about parked topics when it is time to, for all shards, until it is told to stop.
    void watch(const std::stop_token& stop);

    /// Smallest max.message.bytes of the topics in use; record batches must not be larger.
    [[nodiscard]] std::int64_t smallest_batch_limit();

private:
    struct Known {
        TopicVerdict verdict;
        SteadyClock::time_point asked;
        SteadyClock::time_point until;
    };
    using Verdicts = std::map<std::string, TopicVerdict>;

    std::optional<TopicVerdict> recall(const std::string& name, SteadyClock::time_point not_before);
    void drop_expired();
    void keep(const std::string& name, const TopicVerdict& verdict, SteadyClock::time_point asked);
    void park(const std::string& name, OutageCause cause);
    void open(std::string_view name);
    Verdicts ask(const std::vector<std::string>& names, Deadline deadline);
    TopicVerdict verdict_on(const std::string& name, const kafka::TopicFacts& facts, Deadline deadline);
    TopicVerdict make(const std::string& name, Deadline deadline);
    void ask_about_parked(Deadline deadline);

    const kafka::Admin& admin_;
    kafka::ClientOptions client_;
    TopicPolicy policy_;
    std::function<void()> changed_;
    kafka::TopicSurvey survey_;
    std::timed_mutex asking_;  ///< held while Kafka is asked, so that one shard does it for all
    mutable std::mutex mutex_; ///< of what follows; never held while anybody waits
    std::condition_variable_any parked_;
    std::map<std::string, Known, std::less<>> known_;
    Outages outages_;
};

/// The command that makes a topic by hand.
std::string create_command(const std::string& topic, const TopicPolicy& policy);

/// What to do where brokers refused to make a topic. @param code  of their refusal
std::string creation_advice(const std::string& topic, int code, const TopicPolicy& policy);

} // namespace outbox::delivery
