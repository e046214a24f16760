// A consumer group that is killed at random; what its members applied is compared with the outbox itself.

#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/topics.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <random>
#include <thread>
#include <vector>

namespace outbox {
namespace {

using namespace std::chrono_literals;
using support::Process;

class InboxConsumer : public testing::Test {
protected:
    support::TestDatabase database;
    std::mt19937 random{std::random_device{}()};
    std::vector<Process> members;

    void TearDown() override {
        members.clear();
        support::delete_topics({database.name()});
    }

    [[nodiscard]] std::map<std::string, std::string> environment() const {
        auto variables = database.environment();
        variables["KAFKA_BROKERS"] = support::required_variable("KAFKA_BROKERS");
        return variables;
    }

    [[nodiscard]] Process start(std::vector<std::string> words) const {
        words[0] = support::program(words[0]);
        return Process({words, environment()});
    }

    /// Its database session has the same name.
    [[nodiscard]] Process member(const std::string& name) const {
        auto variables = environment();
        variables["PGAPPNAME"] = name;
        return Process({{support::program("example-inbox-consumer"), database.name(), database.name(), name},
                        variables});
    }

    [[nodiscard]] Process load(int events, int rate) const {
        return start({"outbox-load", "--events", std::to_string(events), "--keys", "100", "--writers", "2",
                      "--batch", "20", "--topic", database.name(), "--rate", std::to_string(rate)});
    }

    /// SIGSTOP between two transactions: in the middle of one the server would end the session, and no
    /// zombie were left.
    bool stop_between_transactions(Process& member, const std::string& name) {
        const auto deadline = Deadline::in(60s);
        while (!deadline.passed()) {
            member.signal(SIGSTOP);
            if (database.value("SELECT string_agg(state, ',') FROM pg_stat_activity "
                               "WHERE application_name = $1 AND datname = current_database()",
                               {name}) == "idle") {
                return true;
            }
            member.signal(SIGCONT);
            member.wait_for_text("never written",
                                 Deadline::in(5ms)); // else it would stand still all the time
        }
        return false;
    }

    std::int64_t applied() { return database.number("SELECT count(*) FROM ledger"); }

    /// Kills a member whenever some more events were applied, until all of them are or time is up.
    /// @return how many were killed while there was something left to apply
    int kill_until_applied(std::int64_t count) {
        const auto deadline = Deadline::in(90s);
        const auto before = applied();
        std::uniform_int_distribution<std::int64_t> some(1, std::max<std::int64_t>(1, (count - before) / 3));
        int kills = 0;
        auto mark = before + some(random);
        for (auto now = applied(); now < count && !deadline.passed(); now = applied()) {
            if (now < mark) {
                std::this_thread::sleep_for(10ms);
                continue;
            }
            const std::size_t victim = random() % members.size();
            members[victim].kill();
            kills += applied() < count ? 1 : 0;
            members[victim] = member(std::to_string(victim));
            mark = applied() + some(random);
        }
        return kills;
    }

    bool wait_for(const std::string& condition) {
        const auto deadline = Deadline::in(60s);
        while (database.value(condition) != "t") {
            if (deadline.passed()) {
                return false;
            }
            std::this_thread::sleep_for(20ms); // the server has better things to do than to answer this
        }
        return true;
    }

    void expect_each_event_applied_once_and_in_order() {
        database.query("ANALYZE outbox_events, ledger"); // so that no plan compares each with each
        EXPECT_EQ(
            database.query("WITH applied AS (SELECT event_id::uuid AS id, count(*) AS times FROM ledger "
                           "GROUP BY 1) SELECT e.id, a.times FROM outbox_events e "
                           "LEFT JOIN applied a USING (id) "
                           "WHERE a.times IS DISTINCT FROM 1 LIMIT 10"),
            support::Rows());
        EXPECT_EQ(database.number("SELECT count(*) FROM ledger"),
                  database.number("SELECT count(*) FROM outbox_events"));
        EXPECT_EQ(database.query("SELECT key, seq, before FROM (SELECT l.key, e.seq, lag(e.seq) OVER "
                                 "(PARTITION BY l.key ORDER BY l.entry) AS before FROM ledger l "
                                 "JOIN outbox_events e ON e.id = l.event_id::uuid) AS steps "
                                 "WHERE seq < before LIMIT 10"),
                  support::Rows());
    }
};

TEST_F(InboxConsumer, MembersKilledAndStoppedAtRandomApplyEachEventOnceAndInOrder) {
    constexpr int backlog = 6'000;
    constexpr int portion = 1'000;
    constexpr int enough = 5;
    const Process relay = start({"outbox-relay"});
    ASSERT_EQ(load(backlog, 0).wait(Deadline::in(60s)).exit_code, 0);
    ASSERT_TRUE(wait_for("SELECT count(*) = 6000 FROM outbox_events WHERE status = 'SENT'"));

    // A zombie: it stands still with thousands of messages in its memory, which the others get and finish.
    // Its client mostly drops them when it goes on; the guard itself is tested in inbox_pg_test.cpp.
    Process zombie = member("zombie");
    ASSERT_TRUE(zombie.wait_for_text("got ", Deadline::in(60s))) << zombie.errors();
    ASSERT_TRUE(wait_for("SELECT count(*) > 100 FROM ledger"));
    ASSERT_TRUE(stop_between_transactions(zombie, "zombie"));

    members.push_back(member("0"));
    members.push_back(member("1"));
    kill_until_applied(backlog);
    ASSERT_GE(applied(), backlog);

    zombie.signal(SIGCONT); // it does not know yet that all of it was done
    int kills = 0;
    int written = backlog;
    for (int round = 0; kills < enough && round < 20; ++round) {
        Process writer = load(portion, 500);
        written += portion;
        kills += kill_until_applied(written);
        ASSERT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
        ASSERT_GE(applied(), written);
    }
    EXPECT_GE(kills, enough) << "members that were killed while events were left to apply";
    expect_each_event_applied_once_and_in_order();
}

} // namespace
} // namespace outbox
