#pragma once

#include "proxy/proxy.hpp"

#include <outbox/support/database.hpp>
#include <outbox/support/process.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace outbox::chaos {

using namespace std::chrono_literals;
using Variables = std::map<std::string, std::string>;

/// A relay of one shard between two proxies; the writers and the judge go to the servers themselves.
///
/// The shard's two producers take turns: batches of odd numbers travel on lane 1, even ones on lane 0. The
/// topic has one partition, so a transaction has two Produce requests: its events', and its manifest's.
class Chaos : public testing::Test {
protected:
    static constexpr int events = 300;
    static constexpr int events_a_batch = 30;

    /// Returns when it has taken its shard.
    void start_relay(const Variables& changes = {});
    void write_events() const;

    /// The judge's verdict over all events, none of which was given up or cost a retry.
    void expect_exactly_once();
    /// Writes the events, waits until the rule of the Kafka proxy has met its request, and asks the judge.
    void expect_delivery_after(RuleId rule);
    /// Keeps back what the rule meets on lane 1, sends it between the two Produce requests of that lane's
    /// next transaction, and lets everything go on. @return the answer it got
    Passage send_in_next_transaction(const Rule& rule, const std::function<void(std::string&)>& change = {});
    /// Requests that the proxy sent by itself and that were answered.
    [[nodiscard]] std::ptrdiff_t strays() const;
    /// How often the relay has recovered its shard since it took it.
    [[nodiscard]] int recoveries() const;

    [[nodiscard]] static Deadline soon() { return Deadline::in(30s); }
    [[nodiscard]] Variables direct() const;
    [[nodiscard]] Variables through_proxies(const Variables& changes = {}) const;

    std::unique_ptr<FaultProxy> kafka;
    std::unique_ptr<FaultProxy> postgres;
    support::TestDatabase database;
    std::optional<support::Process> relay;

    Chaos();
    /// Says what passed and what the relay wrote when the test has failed; removes its topics.
    void TearDown() override;
};

/// The broker did it.
// NOLINTNEXTLINE(readability-identifier-naming): as GoogleMock names its matchers
MATCHER(Succeeded, "is answered with success") {
    return arg.answered && arg.error == 0;
}

/// The broker refused it, because its producer's epoch is over.
// NOLINTNEXTLINE(readability-identifier-naming)
MATCHER(IsFenced, "is refused for its epoch") {
    constexpr std::int16_t invalid_producer_epoch = 47;
    constexpr std::int16_t producer_fenced = 90;
    return arg.error == invalid_producer_epoch || arg.error == producer_fenced;
}

/// Says what it is in a test's failure.
void PrintTo(const Passage& passage, std::ostream* out); // NOLINT(readability-identifier-naming): gtest's

} // namespace outbox::chaos
