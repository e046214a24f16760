// What outbox-relay tells of itself over HTTP, with real servers behind it.

#include "client.hpp"
#include "scrape.hpp"

#include <outbox/metrics/all_metrics.hpp>
#include <outbox/support/ports.hpp>
#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace outbox::relays {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class RelayMetrics : public Relays {
protected:
    [[nodiscard]] Variables listening(Variables changes = {}) const {
        changes["RELAY_HTTP_PORT"] = port;
        return changes;
    }
    [[nodiscard]] int status_of(const std::string& path) const {
        return ask(static_cast<std::uint16_t>(std::stoi(port)), "GET", path).status;
    }
    /// Once it listens.
    [[nodiscard]] bool listens() const {
        return wait_until([this] {
            try {
                return status_of("/livez") == 200;
            } catch (const std::runtime_error&) {
                return false;
            }
        });
    }
    [[nodiscard]] bool comes_to(const std::string& series, double wanted) const {
        return wait_until(
            [&] {
                try {
                    return scrape(port).value(series) == wanted;
                } catch (const std::runtime_error&) { // it does not listen yet
                    return false;
                }
            },
            30s);
    }

    std::string port = support::free_port();
};

TEST_F(RelayMetrics, ScrapesInARowTellWhatHasBecomeOfEvents) {
    Process relay = ready_relay(listening());
    const Scrape first = scrape(port);
    ASSERT_EQ(first.status, 200) << relay.errors();
    EXPECT_EQ(first.value("outbox_events_total{outcome=\"sent\"}"), 0);
    EXPECT_EQ(first.value("outbox_events_total{outcome=\"failed\"}"), 0);
    EXPECT_EQ(first.value("outbox_shards_owned"), shards);
    EXPECT_EQ(first.value("outbox_shards"), shards);
    EXPECT_EQ(first.sum("outbox_waiting_events"), 0);
    for (int shard = 0; shard < shards; ++shard) {
        EXPECT_TRUE(first.has(fmt::format("outbox_waiting_events{{shard=\"{}\"}}", shard)));
        EXPECT_EQ(first.value(fmt::format("outbox_shard_state{{shard=\"{}\",state=\"working\"}}", shard)), 1);
        EXPECT_GE(first.value(fmt::format("outbox_shard_epoch{{shard=\"{}\"}}", shard)), 1);
    }
    double before = 0;
    for (int i = 1; i <= 30; ++i) {
        insert({.key = fmt::format("k{}", i % 7)});
        const double sent = scrape(port).value("outbox_events_total{outcome=\"sent\"}");
        EXPECT_GE(sent, before) << "a counter only grows";
        before = sent;
    }
    ASSERT_TRUE(comes_to("outbox_events_total{outcome=\"sent\"}", 30)) << scrape(port).text << relay.errors();
    const Scrape last = scrape(port);
    EXPECT_EQ(last.value("outbox_delivery_latency_seconds_count"), 30);
    EXPECT_GT(last.value("outbox_kafka_transaction_duration_seconds_count{outcome=\"committed\"}"), 0);
    EXPECT_EQ(last.value("outbox_transaction_events_sum"), 30);
    EXPECT_GT(last.value("outbox_claim_duration_seconds_count"), 0);
    EXPECT_GT(last.value("outbox_database_connections"), 1);
    EXPECT_GT(last.value("process_resident_memory_bytes"), 1e6);
    EXPECT_GT(last.value("process_start_time_seconds"), 1.7e9);
    EXPECT_LT(last.value("process_start_time_seconds"), static_cast<double>(std::time(nullptr)) + 5);
    EXPECT_EQ(last.value("outbox_order_violations_total"), 0);
    EXPECT_THAT(last.text, HasSubstr("outbox_build_info{outbox=\"" + database.name() + "\",version=\""));
    EXPECT_EQ(stop(relay).exit_code, 0);
}

TEST_F(RelayMetrics, TheAnswerIsInTheFormatThatIsAskedFor) {
    const Process relay = ready_relay(listening());
    const Scrape text = scrape(port);
    EXPECT_EQ(text.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(text.text, HasSubstr("# TYPE outbox_events_total counter\n"));
    const Scrape open =
        scrape(port, {{"Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}});
    EXPECT_EQ(open.headers.at("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    EXPECT_THAT(open.text, HasSubstr("# TYPE outbox_events counter\n"));
    EXPECT_TRUE(open.text.ends_with("# EOF\n"));
    const Scrape packed = scrape(port, {{"Accept-Encoding", "gzip"}});
    EXPECT_EQ(packed.headers.at("content-encoding"), "gzip");
    EXPECT_THAT(packed.text, StartsWith("\x1F\x8B"));
    EXPECT_LT(packed.text.size() * 3, text.text.size());
    EXPECT_EQ(ask(static_cast<std::uint16_t>(std::stoi(port)), "POST", "/metrics").status, 405);
    EXPECT_EQ(status_of("/other"), 404);
}

TEST_F(RelayMetrics, WhatFailsAndWhatWaitsIsCounted) {
    const Process relay = ready_relay(listening());
    insert(
        {.key = "large", .data = R"({"text": ")" + std::string(2'000'000, 'x') + R"("})", .max_retries = 1});
    ASSERT_TRUE(comes_to("outbox_events_total{outcome=\"failed\"}", 1))
        << scrape(port).text << relay.errors();
    EXPECT_TRUE(comes_to("outbox_failed_events", 1)) << scrape(port).text;
    database.query("INSERT INTO outbox_pauses (scope, name, who) VALUES ('all', '', 'test')");
    ASSERT_TRUE(wait_until([&] { return scrape(port).value("outbox_paused{scope=\"shard\"}") > 0; }, 30s))
        << scrape(port).text << relay.errors();
    for (int i = 0; i < 5; ++i) {
        insert({.key = "one"});
    }
    EXPECT_TRUE(wait_until([&] { return scrape(port).sum("outbox_waiting_events") == 5; }, 30s))
        << scrape(port).text;
    EXPECT_TRUE(wait_until([&] { return scrape(port).sum("outbox_oldest_event_age_seconds") > 1; }, 30s));
    database.query("DELETE FROM outbox_pauses");
    EXPECT_TRUE(wait_until([&] { return scrape(port).sum("outbox_waiting_events") == 0; }, 30s))
        << relay.errors();
    EXPECT_EQ(scrape(port).value("outbox_paused{scope=\"shard\"}"), 0);
}

TEST_F(RelayMetrics, APortThatIsTakenKeepsNoRelayFromDelivering) {
    Process first = ready_relay(listening());
    ASSERT_EQ(scrape(port).value("outbox_lease_expired_total"), 0);
    Process second = start_relay(listening());
    ASSERT_TRUE(second.wait_for_text("no metrics and no health yet", Deadline::in(20s))) << second.errors();
    EXPECT_THAT(second.errors(), HasSubstr("RELAY_HTTP_PORT and RELAY_HTTP_BIND name another"));
    ASSERT_TRUE(wait_until([&] { return second.count(Signal("recovered")) > 0; }, 30s)) << second.errors();
    first.kill();
    ASSERT_TRUE(comes_to("outbox_shards_owned", shards)) << second.errors();
    const Scrape taken = scrape(port);
    EXPECT_GE(taken.value("outbox_takeovers_total"), shards) << "and it listens now";
    EXPECT_GE(taken.value("outbox_lease_expired_total"), 1);
    ASSERT_TRUE(wait_sent(insert({.key = "k"}))) << second.errors();
    EXPECT_EQ(lines_with("no metrics and no health yet", second.errors()), 1) << "said once";
    expect_exactly_once();
}

TEST_F(RelayMetrics, ARelayWithoutShardsIsReadyAndAsksTheDatabaseNothing) {
    const Process first = ready_relay({{"RELAY_SHARDS", "1"}});
    const Process second = start_relay(listening());
    ASSERT_TRUE(listens()) << second.errors();
    EXPECT_TRUE(wait_until([&] { return status_of("/readyz") == 200; })) << second.errors();
    EXPECT_EQ(status_of("/health"), 200);
    const Scrape told = scrape(port);
    EXPECT_EQ(told.value("outbox_shards_owned"), 0);
    EXPECT_FALSE(told.has("outbox_waiting_events{shard=\"0\"}"));
    EXPECT_EQ(database.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                              "application_name = 'outbox-relay-metrics'"),
              0);
}

TEST_F(RelayMetrics, ARelayThatNobodyAsksIsAsQuietAsOneWithoutAPort) {
    const Process relay = ready_relay(listening({{"RELAY_SHARDS", "8"}}));
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors();
    stay_quiet(5s);
    const Activity activity = watch_relays(20s);
    EXPECT_LE(activity.statements, 80) << testing::PrintToString(activity.by_text);
}

TEST_F(RelayMetrics, ScrapesInQuickSuccessionAskTheDatabaseOnceInFiveSeconds) {
    const Process relay = ready_relay(listening({{"RELAY_SHARDS", "8"}}));
    std::ignore = scrape(port);
    auto counter = database.connect();
    script(counter, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    const auto looks = [&] {
        return database.number(
            "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE dbid = (SELECT oid "
            "FROM pg_database WHERE datname = current_database()) AND query LIKE '%blocked.n%' AND "
            "query NOT LIKE '%pg_stat_statements%'");
    };
    const auto before = looks();
    const auto begin = SteadyClock::now();
    for (const Deadline end = Deadline::in(11s); !end.passed();) {
        ASSERT_EQ(scrape(port).status, 200);
    }
    const auto seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    const auto asked = static_cast<double>(looks() - before);
    EXPECT_GE(asked, 1);
    EXPECT_LE(asked, seconds / 5 + 2);
}

TEST_F(RelayMetrics, OtherReadersFindNothingWrongWithEitherFormat) {
    const Process relay = ready_relay(listening());
    ASSERT_TRUE(wait_sent(insert({.key = "k"}))) << relay.errors();
    const auto folder = std::filesystem::temp_directory_path() / database.name();
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "text") << scrape(port).text;
    std::ofstream(folder / "openmetrics") << scrape(port, {{"Accept", "application/openmetrics-text"}}).text;
    const auto checked = support::run({{OUTBOX_SOURCE_DIR "/tests/integration/metrics/check_formats",
                                        folder / "text", folder / "openmetrics"},
                                       {}},
                                      100s);
    EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
    EXPECT_EQ(checked.output, "") << "promtool has no advice";
    std::filesystem::remove_all(folder);
}

TEST_F(RelayMetrics, EverySeriesIsOneThatTheTableNames) {
    const Process relay = ready_relay(listening());
    std::string known;
    for (const metrics::Section& section : metrics::all_sections()) {
        for (const metrics::Metric* const metric : section.metrics) {
            known += fmt::format(" {} ", metric->name);
        }
    }
    std::istringstream lines(scrape(port).text);
    int families = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# TYPE ")) {
            const auto name = line.substr(7, line.rfind(' ') - 7);
            EXPECT_THAT(known, HasSubstr(" " + name + " "));
            ++families;
        } else if (!line.starts_with('#')) {
            EXPECT_THAT(line, HasSubstr("{outbox=\"" + database.name() + "\"")) << "on all";
        }
    }
    EXPECT_GT(families, 25);
}

} // namespace
} // namespace outbox::relays
