#pragma once

#include <outbox/delivery/outages.hpp>
#include <outbox/delivery/topic_book.hpp>
#include <outbox/delivery/topic_observer.hpp>
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

/// How topics are made and judged, from the settings; it does not change while a relay runs.
struct TopicPolicy {
    std::string brokers; ///< for commands that a person shall type
    bool create = true;
    std::int32_t partitions = 6;
    std::int32_t replication = -1;                                     ///< -1: the broker's default
    milliseconds metadata_interval = kafka::default_metadata_interval; ///< how long an answer is believed
    std::string control_topic;     ///< of this outbox: is never made by asking for it
    std::string dead_letter_topic; ///< empty: none; while it takes nothing, no topic's events are given up
    OutagePolicy outage;
    bool announce = true; ///< the observer hears of outages; off: whoever asks says what it was told
};

/// What brokers said about a topic, judged. Says nothing about whether it is some outbox's control topic. No
/// I/O.
/// @pre the topic exists
TopicVerdict judge(const std::string& name, const kafka::TopicFacts& facts, const TopicPolicy& policy);

/// What is known about the topics, shared by the shards of one relay. Thread-safe.
class Topics final : public TopicBook {
public:
    /// What it is made with outlives it.
    /// @param changed  called, from any thread, when a topic takes nothing any more, or takes records again
    Topics(
        const kafka::Admin& admin, const kafka::ClientOptions& client, TopicPolicy policy,
        TopicObserver& observer, std::function<void()> changed = [] {});

    TopicVerdict look_up(const std::string& name, Deadline deadline,
                         SteadyClock::time_point not_before = {}) override;
    std::set<std::string, std::less<>> find_culprits(const std::set<std::string, std::less<>>& names,
                                                     Deadline deadline) override;
    void refuse(const std::string& name, const Refusal& why) override;
    void took(std::string_view name) override;
    void not_tried(std::string_view name, int shard) override;
    void forget() override;
    /// An operator has mended something: ask again about parked topics now, about the others at the next use.
    void ask_anew();

    void note_parked(std::string_view name, std::string_view row_topic, int shard) override;
    [[nodiscard]] LeftOut left_out(int shard) override;
    [[nodiscard]] bool is_left_out(const std::string& name, int shard) override;
    [[nodiscard]] bool needs_try() const override;
    [[nodiscard]] std::vector<Outage> outages() const;
    /// What rows name that go to parked topics, as far as is known, by topic.
    [[nodiscard]] std::map<std::string, std::vector<std::string>> parked_row_topics() const;
    /// No event waits for the topic any more: what it refuses is nobody's concern.
    void drop_outage(std::string_view name);

    /// Asks about parked topics when it is time to, for all shards, until it is told to stop.
    void watch(const std::stop_token& stop);

    [[nodiscard]] std::int64_t smallest_batch_limit() override;

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
    /// @param again  one that is known
    void park(const std::string& name, OutageCause cause, bool again = false);
    void open(std::string_view name);
    Verdicts ask(const std::vector<std::string>& names, Deadline deadline);
    TopicVerdict verdict_on(const std::string& name, const kafka::TopicFacts& facts, Deadline deadline);
    TopicVerdict make(const std::string& name, Deadline deadline);
    void ask_about_parked(Deadline deadline);

    const kafka::Admin& admin_;
    kafka::ClientOptions client_;
    TopicPolicy policy_;
    TopicObserver& observer_; ///< is told while no mutex is held but asking_
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
