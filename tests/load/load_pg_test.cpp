// outbox-load against a real PostgreSQL: what it promises is what other tests build on.
#include "playground.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <optional>
#include <set>
#include <thread>

namespace load {
namespace {

using checker::playground::Outcome;
using testing::HasSubstr;

class Load : public testing::Test {
protected:
    void SetUp() override {
        try {
            database_.emplace();
        } catch (const std::exception& error) {
            FAIL() << error.what();
        }
    }

    static Outcome load(const std::string& flags) {
        return checker::playground::run(fmt::format("{}/outbox-load {}", OUTBOX_BIN_DIR, flags));
    }

    std::string rows() { return database_->ask("SELECT count(*) FROM outbox_events"); }

    /// Rows whose n is not their place among the events of their key in `seq` order.
    std::string out_of_order() {
        return database_->ask(
            "SELECT count(*) FROM (SELECT (event_data->>'n')::bigint AS n, row_number() OVER"
            " (PARTITION BY coalesce(partition_key, aggregate_id) ORDER BY seq) AS place"
            " FROM outbox_events) AS e WHERE n <> place");
    }

    std::optional<checker::playground::OwnDatabase> database_;
};

TEST_F(Load, EventsOfAKeyAreNumberedInCommitOrder) {
    const auto outcome = load("--events 2000 --keys 20 --writers 4 --batch 7 --rollback-percent 20");
    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_THAT(outcome.out, HasSubstr("events=2000 "));
    EXPECT_EQ(rows(), "2000");
    EXPECT_EQ(out_of_order(), "0");
    EXPECT_EQ(
        database_->ask("SELECT count(DISTINCT coalesce(partition_key, aggregate_id)) FROM outbox_events"),
        "20");
}

TEST_F(Load, CopyFillsTheTableInTheSameWay) {
    EXPECT_EQ(load("--copy --events 30000 --keys 100 --writers 2 --batch 4000 --size 500 --topic a,b").status,
              0);
    EXPECT_EQ(rows(), "30000");
    EXPECT_EQ(out_of_order(), "0");
    EXPECT_EQ(
        database_->ask("SELECT count(*) FROM outbox_events WHERE octet_length(event_data::text) <> 500"),
        "0");
    EXPECT_EQ(
        database_->ask("SELECT count(*) FROM (SELECT coalesce(partition_key, aggregate_id) FROM outbox_events"
                       " GROUP BY 1 HAVING count(DISTINCT topic) > 1) AS keys"),
        "0")
        << "a key stays in one topic";
    EXPECT_EQ(database_->ask("SELECT string_agg(DISTINCT topic, ',') FROM outbox_events"), "a,b");
}

TEST_F(Load, IdsCarryTheirVersion) {
    EXPECT_EQ(load("--events 50 --uuid v7").status, 0);
    EXPECT_EQ(database_->ask("SELECT string_agg(DISTINCT substr(id::text, 15, 1), '') FROM outbox_events"),
              "7");
    EXPECT_EQ(
        database_->ask("SELECT array_agg(id ORDER BY id) = array_agg(id ORDER BY seq) FROM outbox_events"),
        "t");
    database_->run("TRUNCATE outbox_events");
    EXPECT_EQ(load("--events 50 --uuid v4").status, 0);
    EXPECT_EQ(database_->ask("SELECT string_agg(DISTINCT substr(id::text, 15, 1), '') FROM outbox_events"),
              "4");
}

TEST_F(Load, TheRateIsKept) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(load("--events 100 --rate 100 --writers 2").status, 0);
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_GT(took, std::chrono::milliseconds(900));
    EXPECT_LT(took, std::chrono::seconds(10));
}

class LoadLostConnection : public Load, public testing::WithParamInterface<const char*> {};

TEST_P(LoadLostConnection, EveryEventIsCommittedOnceAndEveryIdNoted) {
    const auto ids_file = testing::TempDir() + checker::playground::fresh_name("ids");
    std::atomic<bool> done = false;
    Outcome outcome;
    std::thread writers([&] {
        outcome = load(fmt::format("--writers 4 --keys 40 --ids {} {}", ids_file, GetParam()));
        done = true;
    });
    int killed = 0;
    while (!done) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        killed += std::stoi(database_->ask("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM"
                                           " pg_stat_activity WHERE datname = current_database() AND"
                                           " backend_type = 'client backend' AND pid <> pg_backend_pid()"));
    }
    writers.join();
    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_GT(killed, 4) << "the test killed too few connections to say anything";
    EXPECT_EQ(rows(), "6000");
    EXPECT_EQ(out_of_order(), "0");
    std::set<std::string> ids;
    std::size_t lines = 0;
    std::ifstream file(ids_file);
    for (std::string line; std::getline(file, line); ++lines) {
        ids.insert(line);
    }
    EXPECT_EQ(lines, 6000U);
    EXPECT_EQ(ids.size(), 6000U);
    std::remove(ids_file.c_str());
}

INSTANTIATE_TEST_SUITE_P(By, LoadLostConnection,
                         testing::Values("--events 6000 --batch 3 --rollback-percent 5",
                                         "--events 6000 --batch 10 --copy"),
                         [](const auto& way) { return way.index == 0 ? "Insert" : "Copy"; });

TEST_F(Load, ADatabaseThatIsNotThereEndsInOneLine) {
    const auto outcome = load("--db-name no_such_database");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("PostgreSQL is away"));
    EXPECT_EQ(load("--uuid v5").status, 2);
}

} // namespace
} // namespace load
