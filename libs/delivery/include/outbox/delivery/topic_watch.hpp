#pragma once

#include <outbox/delivery/identities.hpp>
#include <outbox/delivery/identity_watch.hpp>
#include <outbox/delivery/signal.hpp>
#include <outbox/delivery/topic_observer.hpp>
#include <outbox/kafka/topic_ids.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

namespace outbox::delivery {

/// Knows which topics are still those that they were: asks brokers for their ids on behalf of all shards of a
/// relay, on a thread of its own. Who asks while a question is under way shares the next one. Where brokers
/// tell no ids (Kafka before 2.8) nothing is known of any topic: the observer hears that once, and it is
/// tried again now and then. Thread-safe.
class TopicWatch final : public IdentityWatch {
public:
    /// What it is made with outlives it.
    TopicWatch(const kafka::Admin& admin, const kafka::ClientOptions& client, TopicObserver& observer);
    TopicWatch(const TopicWatch&) = delete;
    TopicWatch& operator=(const TopicWatch&) = delete;
    ~TopicWatch() override;

    void want(const Names& topics, Signal* bell = nullptr) override;
    void leave(const Signal& bell) override;

    /// want(), and waits for the answer. @return whether it was answered, or never will be
    bool ask(const Names& topics, Deadline deadline);

    TopicIdentities identify(const Names& topics, Deadline deadline) override;
    [[nodiscard]] IdentityVerdict compare(const TopicIdentities& before,
                                          SteadyClock::time_point since) const override;

    /// Where answers since then are missing they are waited for.
    IdentityVerdict compare_afresh(const TopicIdentities& before, SteadyClock::time_point since,
                                   Deadline deadline);

    void freshen(const TopicIdentities& topics) override;

    /// Just before a commit, which would succeed although a part of its transaction is gone with its topic.
    /// @throws KafkaError torn: one of them is known to be another by now
    void require_same(const TopicIdentities& before);

private:
    void run(const std::stop_token& stop);
    void note(const Names& asked, const kafka::Identities& found, SteadyClock::time_point when);
    void note_hidden(const std::string& topic, bool hidden);
    void failed(const std::exception& error);
    static void ring(const std::set<Signal*>& bells);
    [[nodiscard]] std::optional<SeenIdentity> seen(const std::string& topic) const;
    [[nodiscard]] Names uncertain(const Names& topics) const;

    kafka::TopicIds ids_;
    TopicObserver& observer_; ///< is told while mutex_ is held
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    Names wanted_;
    std::set<Signal*> bells_; ///< of those who want them
    std::map<std::string, SeenIdentity, std::less<>> known_;
    Names hidden_;                       ///< brokers do not tell this client anything of these; that was told
    bool able_ = true;                   ///< brokers tell ids, as far as is known
    bool answered_ = false;              ///< ever
    std::string said_;                   ///< why they do not
    SteadyClock::time_point next_try_{}; ///< while they do not
    std::optional<SteadyClock::time_point>
        silence_; ///< nobody could be asked since then, though Kafka is there
    std::jthread thread_;
};

} // namespace outbox::delivery
