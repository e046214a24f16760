// A consumer group that is killed at random; what its members applied is compared with the outbox itself.

#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/topics.hpp>

#include <gtest/gtest.h>

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

    void TearDown() override { support::delete_topics({database.name()}); }

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
        EXPECT_EQ(database.query("SELECT e.id, count(l.event_id) FROM outbox_events e "
                                 "LEFT JOIN ledger l ON l.event_id = e.id::text "
                                 "GROUP BY e.id HAVING count(l.event_id) <> 1 LIMIT 10"),
                  support::Rows());
        EXPECT_EQ(database.number("SELECT count(*) FROM ledger"),
                  database.number("SELECT count(*) FROM outbox_events"));
        EXPECT_EQ(database.query("SELECT key, seq, before FROM (SELECT l.key, e.seq, lag(e.seq) OVER "
                                 "(PARTITION BY l.key ORDER BY l.entry) AS before FROM ledger l "
                                 "JOIN outbox_events e ON e.id::text = l.event_id) AS steps "
                                 "WHERE seq < before LIMIT 10"),
                  support::Rows());
    }
};

TEST_F(InboxConsumer, MembersKilledAndStoppedAtRandomApplyEachEventOnceAndInOrder) {
    constexpr int backlog = 6'000;
    constexpr int later = 1'500;
    const Process relay = start({"outbox-relay"});
    ASSERT_EQ(load(backlog, 0).wait(Deadline::in(60s)).exit_code, 0);
    ASSERT_TRUE(wait_for("SELECT count(*) = 6000 FROM outbox_events WHERE status = 'SENT'"));

    // A zombie: it stands still with thousands of messages in its memory, which the others get and finish.
    // Its client mostly drops them when it goes on; the guard itself is tested in inbox_pg_test.cpp.
    Process zombie = member("zombie");
    ASSERT_TRUE(zombie.wait_for_text("got ", Deadline::in(60s))) << zombie.errors();
    ASSERT_TRUE(wait_for("SELECT count(*) > 100 FROM ledger"));
    ASSERT_TRUE(stop_between_transactions(zombie, "zombie"));

    std::mt19937 random(std::random_device{}());
    int kills = 0;
    std::vector<Process> members;
    members.push_back(member("0"));
    members.push_back(member("1"));
    const auto kill_until_applied = [&](int count) {
        const auto deadline = Deadline::in(90s);
        while (applied() < count && !deadline.passed()) {
            const std::size_t victim = random() % 2;
            members[victim].wait_for_text("never written",
                                          Deadline::in(milliseconds(200 + random() % 1'500)));
            members[victim].kill();
            members[victim] = member(std::to_string(victim));
            ++kills;
        }
        return applied() >= count;
    };
    ASSERT_TRUE(kill_until_applied(backlog)) << applied();

    zombie.signal(SIGCONT); // it does not know yet that all of it was done
    Process writer = load(later, 500);
    EXPECT_TRUE(kill_until_applied(backlog + later)) << applied();
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_GE(kills, 1);
    expect_each_event_applied_once_and_in_order();
}

} // namespace
} // namespace outbox
