// Programs and a database of other versions.

#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

namespace outbox::relays {
namespace {

using testing::HasSubstr;

class Versions : public Relays {
protected:
    /// Of a database that has no outbox yet.
    [[nodiscard]] Variables in(const support::TestDatabase& other) const {
        return environment({{"DB_NAME", other.name()}, {"OUTBOX_NAME", other.name()}});
    }

    /// A relay waits, says what to type, and sends once that was typed.
    void expect_waits_for_up(support::TestDatabase& other, const std::string& says) {
        Process relay = start_relay(in(other));
        ASSERT_TRUE(relay.wait_for(Signal("waits").saying(says), Deadline::in(60s))) << relay.errors();
        EXPECT_THAT(relay.errors(), HasSubstr("outbox-migrate up"));
        other.migrate({"up"});
        const auto id = other.value(insert_sql({.key = "a"}) + " RETURNING id");
        EXPECT_TRUE(wait_until(
            [&] { return other.value("SELECT status FROM outbox_events WHERE id = $1", {id}) == "SENT"; },
            60s))
            << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
};

TEST_F(Versions, ARelayThatIsStartedBeforeUpWaitsAndGoesOnOnceUpRan) {
    support::TestDatabase absent(support::TestDatabase::Start::absent);
    expect_waits_for_up(absent, "does not exist");
    support::TestDatabase empty(support::TestDatabase::Start::empty);
    expect_waits_for_up(empty, "there is no outbox in schema public");
    support::TestDatabase older;
    older.migrate({"down", "2"});
    expect_waits_for_up(older, "and this program needs");
}

TEST_F(Versions, ARelayThatIsOlderThanTheDatabaseEndsAndSaysSo) {
    database.query(
        "INSERT INTO outbox_migrations (version, name, checksum, duration_ms) VALUES (9000, 'x', '', 1)");
    const auto outcome = start_relay().wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("is at version 9000, and this program knows"));
    EXPECT_THAT(outcome.errors, HasSubstr("upgrade the program"));
}

TEST_F(Versions, ARelayThatKnowsNothingOfVersionsCannotBegin) {
    try { // as 0.1 does
        database.query(
            "INSERT INTO outbox_relays (relay, name, lease) VALUES (gen_random_uuid(), 'host:7', '10 s')"
            " ON CONFLICT (relay) DO UPDATE SET heartbeat_at = clock_timestamp() RETURNING lock_key");
        FAIL() << "it was let in";
    } catch (const postgres::DatabaseError& error) {
        EXPECT_THAT(error.what(),
                    HasSubstr("relay host:7 was built for an older version of this outbox: upgrade"));
    }
    const auto id = insert({.key = "a"});
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
}

/// The files of 0.1 are those of today, and its history holds both sets.
void make_as_version_01(support::TestDatabase& database) {
    database.query(
        "CREATE TABLE outbox_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum "
        "TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), duration_ms "
        "BIGINT NOT NULL)");
    std::map<std::string, std::filesystem::path> files;
    for (const auto* set : {"outbox", "example"}) {
        for (const auto& each :
             std::filesystem::directory_iterator(fmt::format("{}/migrations/{}", OUTBOX_SOURCE_DIR, set))) {
            const std::string name = each.path().filename().string();
            if (name.ends_with(".up.sql") && name < "0011") {
                files[name] = each.path();
            }
        }
    }
    ASSERT_EQ(files.size(), 10U);
    for (const auto& [name, path] : files) {
        std::ifstream file(path);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        database.query("BEGIN; " + text + "; COMMIT");
        database.query(
            "INSERT INTO outbox_migrations (version, name, checksum, duration_ms) SELECT $1::int, $2,"
            " encode(sha256(convert_to($3, 'UTF8')), 'hex'), 1",
            {name.substr(0, 4), name.substr(5, name.size() - 12), text});
    }
}

TEST_F(Versions, ADatabaseOf01WithEventsOfAllStatesIsUpgradedAndSendsWhatWaitsOnce) {
    support::TestDatabase old(support::TestDatabase::Start::empty);
    ASSERT_NO_FATAL_FAILURE(make_as_version_01(old));
    const auto write = [&](const std::string& status, const std::string& key, int events) {
        for (int n = 0; n < events; ++n) {
            const auto id =
                old.value(insert_sql({.key = key, .data = fmt::format(R"({{"{}": {}}})", status, n)}) +
                          " RETURNING id");
            old.query("UPDATE outbox_events SET status = $1 WHERE id = $2", {status, id});
        }
    };
    write("SENT", "a", 3); // while it ran there
    write("FAILED", "b", 2);
    write("PROCESSING", "c", 4); // its relay was killed
    write("NEW", "a", 20);
    const auto outcome = support::run({{support::program("outbox-migrate"), "up"}, in(old)}, 60s);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    Process relay({{support::program("outbox-relay")}, in(old)});
    ASSERT_TRUE(wait_until(
        [&] { return old.number("SELECT count(*) FROM outbox_events WHERE status = 'SENT'") == 27; }, 60s))
        << relay.errors();
    EXPECT_EQ(old.number("SELECT count(*) FROM outbox_events WHERE status = 'FAILED'"), 2);
    std::map<std::string, std::vector<std::string>> sent;
    for (const Message& message : read_topic(topic)) {
        sent[message.key].push_back(message.value);
    }
    ASSERT_EQ(sent["a"].size(), 20U);
    for (int n = 0; n < 20; ++n) {
        EXPECT_EQ(sent["a"].at(n), fmt::format(R"({{"NEW": {}}})", n));
    }
    EXPECT_EQ(sent["c"].size(), 4U);
    EXPECT_EQ(sent.size(), 2U) << "what was SENT or FAILED is left alone";
    EXPECT_EQ(stop(relay).exit_code, 0);
}

} // namespace
} // namespace outbox::relays
