// What a service hears of the relay inside it.
#include "forgetful_lane.hpp"

#include <outbox/relay/relay.hpp>
#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>

namespace outbox::relays {
namespace {

using messages::OutgoingEvent;
using relay::Observer;
using relay::Relay;
namespace happened = relay::happened;
using testing::Contains;

constexpr auto patience = 150s;

/// Writes down what it hears.
class Listener final : public Observer {
public:
    void started(const happened::Started& started) override { note(fmt::format("started {}", started.name)); }
    void took_over(const happened::TookOver& taken) override {
        note(fmt::format("took over {}", taken.epoch));
    }
    void recovered(const happened::Recovered& recovered) override {
        note(fmt::format("recovered {}", recovered.epoch));
    }
    void recovers(const happened::Recovers& recovers) override {
        note(fmt::format("recovers: {}", recovers.reason));
    }
    void pipeline_recovers(const happened::PipelineRecovers& recovers) override {
        note(fmt::format("recovers: {}", recovers.reason));
    }
    void state_changed(const happened::StateChanged& state) override {
        note(fmt::format("{} -> {}", name_of(state.from), name_of(state.to)));
    }
    void breaker(const happened::Breaker& breaker) override {
        note(breaker.open ? "breaker open" : "breaker closed");
    }
    void lease_expired(const happened::LeaseExpired&) override { note("lease expired"); }
    void lost(const happened::Lost&) override { note("lost"); }
    void paused(int /*shard*/) override { note("paused"); }
    void resumed(int /*shard*/) override { note("resumed"); }
    void released(int /*shard*/) override { note("released"); }
    void topic_created(const delivery::TopicCreated& created) override {
        note(fmt::format("created {}", created.topic));
    }
    void drained(const happened::Drained& drained) override {
        note(fmt::format("drained {}", drained.in_flight));
    }

    void claimed(const happened::Claimed& claimed) override { add("claimed", claimed.events); }
    void lag(const happened::Lag& lag) override { add("lag", lag.oldest > 0ms ? 1 : 0); }
    void built(const happened::Built& built) override { add("built", built.events); }
    void transaction_ended(const happened::Transaction& ended) override {
        add(std::string(name_of(ended.outcome)), ended.events);
    }
    void sent(const happened::Sent& sent) override {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < sent.events.size(); ++i) {
            const happened::Event event = sent.events[i];
            event.dead_letter ? letters_.insert(event.id) : sent_.insert(event.id);
            latest_ = std::max(latest_, sent.at - event.created_at.value());
        }
    }
    void marked(const happened::Marked& marked) override { add("marked", marked.events); }
    void control_lag(const happened::ControlLag& lag) override { add("manifests", lag.manifests); }
    void skipped(const happened::Skipped& skipped) override { add("skipped", skipped.events); }
    void retried(const happened::Attempt& attempt) override {
        note(fmt::format("retried {}: {}", attempt.attempt, attempt.error));
    }
    void failed(const happened::Attempt& attempt) override {
        note(fmt::format("failed {} to {}", attempt.attempt, attempt.dead_letter_topic));
    }
    void dead_lettered(const happened::DeadLettered& letters) override {
        add("dead letters", letters.events);
    }

    std::vector<std::string> heard() {
        const std::lock_guard lock(mutex_);
        return heard_;
    }
    bool has(const std::string& words) {
        const auto all = heard();
        return std::ranges::find(all, words) != all.end();
    }
    std::size_t sum(const std::string& of) {
        const std::lock_guard lock(mutex_);
        return sums_[of];
    }
    std::set<Uuid> sent_events() {
        const std::lock_guard lock(mutex_);
        return sent_;
    }
    std::set<Uuid> letters() {
        const std::lock_guard lock(mutex_);
        return letters_;
    }
    std::chrono::nanoseconds latest() {
        const std::lock_guard lock(mutex_);
        return latest_;
    }

private:
    void note(std::string words) {
        const std::lock_guard lock(mutex_);
        heard_.push_back(std::move(words));
    }
    void add(const std::string& to, std::size_t more) {
        const std::lock_guard lock(mutex_);
        sums_[to] += more;
    }

    std::mutex mutex_;
    std::vector<std::string> heard_;
    std::map<std::string, std::size_t> sums_;
    std::set<Uuid> sent_;
    std::set<Uuid> letters_;
    std::chrono::nanoseconds latest_{0};
};

/// Does what no observer should.
class Thrower final : public Observer {
    void claimed(const happened::Claimed&) override { throw std::runtime_error("no"); }
    void sent(const happened::Sent&) override { throw std::runtime_error("no"); }
};

class Observed : public Relays {
public:
    ~Observed() override { delete_topic(dead_); }

protected:
    relay::Options options(std::shared_ptr<Observer> second = nullptr) {
        relay::Options options;
        options.settings = environment({{"RELAY_SHARDS", "1"}, {"RELAY_DEAD_LETTER_TOPIC", dead_}});
        options.environment = false;
        options.log = [](log::Level, std::string_view) {};
        options.on_before_publish = [](OutgoingEvent& event) {
            if (event.key() == "bad") {
                throw std::runtime_error("it is bad");
            }
            if (event.key() == "secret") {
                event.skip("not for others");
            }
        };
        if (second) {
            options.observers.push_back(std::move(second));
        }
        options.observers.push_back(listener_);
        return options;
    }
    bool wait_heard(const std::string& words) {
        return wait_until([&] { return listener_->has(words); }, patience);
    }
    void verb(const std::string& word) {
        ASSERT_EQ(support::run({{support::program("outbox-relay"), word}, environment()}, 60s).exit_code, 0);
    }
    static Uuid id_of(const std::string& text) { return Uuid::parse(text).value(); }

    const std::string dead_ = topic + ".dead";
    const std::shared_ptr<Listener> listener_ = std::make_shared<Listener>();
};

TEST_F(Observed, ARelayTellsTheWayOfEachEvent) {
    const auto first = insert({.key = "a"});
    const auto skipped = insert({.key = "secret"});
    const auto bad = insert({.key = "bad", .max_retries = 2});
    Relay relay(options(std::make_shared<Thrower>()));
    relay.start();
    EXPECT_TRUE(wait_until([&] { return status(bad) == "FAILED"; }, patience));
    EXPECT_TRUE(wait_until([&] { return listener_->sum("dead letters") == 1; }, patience));
    ASSERT_TRUE(wait_sent(first, patience));
    EXPECT_EQ(relay.drain(), 0U);

    EXPECT_EQ(listener_->sent_events(), std::set<Uuid>{id_of(first)});
    EXPECT_EQ(listener_->letters(), std::set<Uuid>{id_of(bad)});
    EXPECT_GT(listener_->latest(), 0ns);
    EXPECT_GE(listener_->sum("claimed"), 4U) << "the bad one twice";
    EXPECT_EQ(listener_->sum("built"), 2U);
    EXPECT_EQ(listener_->sum("committed"), 2U);
    EXPECT_EQ(listener_->sum("marked"), 2U);
    EXPECT_EQ(listener_->sum("skipped"), 1U);
    EXPECT_GE(listener_->sum("lag"), 1U);
    EXPECT_THAT(listener_->heard(), Contains("retried 1: on_before_publish threw: it is bad"));
    EXPECT_THAT(listener_->heard(), Contains("failed 2 to " + dead_));
    EXPECT_THAT(listener_->heard(), Contains("created " + topic));
    EXPECT_EQ(status(skipped), "SKIPPED");
}

TEST_F(Observed, ARelayTellsTheLifeOfItsShard) {
    Relay relay(options());
    relay.start();
    ASSERT_TRUE(wait_sent(insert({.key = "a"}), patience));
    verb("pause");
    EXPECT_TRUE(wait_heard("paused"));
    verb("resume");
    EXPECT_TRUE(wait_heard("resumed"));
    database.query("UPDATE outbox_shards SET owner = gen_random_uuid(), epoch = epoch + 1"); // who is dead
    EXPECT_TRUE(wait_heard("lost"));
    EXPECT_TRUE(wait_heard("recovered 3"));
    ASSERT_TRUE(wait_sent(insert({.key = "a"}), patience));
    EXPECT_EQ(relay.drain(), 0U);

    const std::vector<std::string> way{"started " + database.name(),
                                       "took over 1",
                                       "unowned -> fencing",
                                       "fencing -> reading",
                                       "reading -> settling",
                                       "recovered 1",
                                       "settling -> working",
                                       "working -> resting",
                                       "paused",
                                       "resumed",
                                       "resting -> working",
                                       "lost",
                                       "working -> ended",
                                       "lease expired",
                                       "took over 3",
                                       "recovered 3",
                                       "released",
                                       "drained 0"};
    auto heard = listener_->heard();
    std::size_t at = 0;
    for (const auto& words : heard) {
        at += at < way.size() && words == way[at] ? 1 : 0;
    }
    EXPECT_EQ(at, way.size()) << "in this order; it stops before '" << (at < way.size() ? way[at] : "")
                              << "': " << testing::PrintToString(heard);
}

TEST_F(Observed, ARelayTellsWhatBecameOfALostAnswer) {
    std::atomic<int> sent{0};
    auto options = this->options();
    options.make_lane = [&](const kafka::LaneOptions& lane) {
        return std::make_unique<ForgetfulLane>(lane, sent, [](int number) { return number == 2; });
    };
    Relay relay(std::move(options));
    relay.start();
    const auto id = insert({.key = "a"});
    ASSERT_TRUE(wait_sent(id, patience));
    ASSERT_TRUE(wait_sent(insert({.key = "b"}), patience));
    EXPECT_EQ(relay.drain(), 0U);
    EXPECT_EQ(listener_->sum("unknown"), 1U);
    EXPECT_THAT(listener_->heard(), Contains("recovers: the answer was lost"));
    EXPECT_THAT(listener_->heard(), Contains("breaker open"));
    EXPECT_THAT(listener_->heard(), Contains("breaker closed"));
    EXPECT_GE(listener_->sum("manifests"), 1U);
    EXPECT_THAT(listener_->heard(), Contains("working -> unowned"));
    EXPECT_EQ(read_topic(topic).size(), 2U);
}

} // namespace
} // namespace outbox::relays
