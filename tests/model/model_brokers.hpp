#pragma once

#include "life.hpp"
#include "shard/brokers.hpp"
#include "shard/clock.hpp"

#include <outbox/delivery/identity_watch.hpp>
#include <outbox/delivery/topic_book.hpp>

namespace outbox::model {

/// The model's control partitions, as recoveries read them.
class ModelBrokers final : public relay::Brokers {
public:
    explicit ModelBrokers(Life& life) : life_(life) {}

    std::unique_ptr<relay::Markers> markers(store::ShardDatabase&, std::string, std::vector<std::string>,
                                            relay::Patience) override;
    kafka::ControlTail read_manifests(const store::Acquired& acquired, const relay::Patience&) override;
    void find_gone(store::ShardDatabase&, int, relay::Settle&, const relay::Patience&) override {}
    bool can_be_asked(const std::string&) override { return true; }

private:
    Life& life_;
};

/// One topic that takes everything, and never changes.
class ModelTopics final : public delivery::TopicBook {
public:
    delivery::TopicVerdict look_up(const std::string&, Deadline, SteadyClock::time_point) override;
    std::set<std::string, std::less<>> find_culprits(const std::set<std::string, std::less<>>&,
                                                     Deadline) override {
        return {};
    }
    void refuse(const std::string&, const delivery::Refusal&) override {}
    void took(std::string_view) override {}
    void not_tried(std::string_view, int) override {}
    void forget() override {}
    void note_parked(std::string_view, std::string_view, int) override {}
    [[nodiscard]] delivery::LeftOut left_out(int) override { return {}; }
    [[nodiscard]] bool is_left_out(const std::string&, int) override { return false; }
    [[nodiscard]] bool needs_try() const override { return false; }
    [[nodiscard]] std::int64_t smallest_batch_limit() override { return 1'000'000; }
};

/// Says now and then that brokers have not answered yet whether topics are the same, so that marks come late.
class ModelIdentities final : public delivery::IdentityWatch {
public:
    explicit ModelIdentities(Life& life) : life_(life) {}

    void want(const Names&, delivery::Signal*) override {}
    void freshen(const delivery::TopicIdentities&) override {}
    void leave(const delivery::Signal&) override {}
    delivery::TopicIdentities identify(const Names&, Deadline) override { return {}; }
    [[nodiscard]] delivery::IdentityVerdict compare(const delivery::TopicIdentities&,
                                                    SteadyClock::time_point) const override;

private:
    Life& life_;
};

/// Waits end at once, but the others go on first.
class ModelClock final : public relay::Clock {
public:
    explicit ModelClock(Life& life) : life_(life) {}

    [[nodiscard]] SteadyClock::time_point now() const override { return life_.world.time; }
    void wait(delivery::Signal&, SteadyClock::duration) override;

private:
    Life& life_;
};

} // namespace outbox::model
