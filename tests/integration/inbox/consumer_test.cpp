// A consumer group that is killed at random; what its members applied is compared with the outbox itself.

#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/topics.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <vector>

namespace outbox {
namespace {

using namespace std::chrono_literals;
using support::Process;

class InboxConsumer : public testing::Test {
protected:
    support::TestDatabase database;

    ~InboxConsumer() override { support::delete_topics({database.name()}); }

    [[nodiscard]] std::map<std::string, std::string> environment() const {
        auto variables = database.environment();
        variables["KAFKA_BROKERS"] = support::required_variable("KAFKA_BROKERS");
        return variables;
    }

    [[nodiscard]] Process start(std::vector<std::string> words) const {
        words[0] = support::program(words[0]);
        return Process({words, environment()});
    }

    [[nodiscard]] Process member(std::size_t number) const {
        return start(
            {"example-inbox-consumer", database.name(), database.name(), "m" + std::to_string(number)});
    }

    [[nodiscard]] Process load(int events) const {
        return start({"outbox-load", "--events", std::to_string(events), "--keys", "100", "--writers", "2",
                      "--batch", "5", "--topic", database.name(), "--rate", "500"});
    }

    std::int64_t applied() { return database.number("SELECT count(*) FROM ledger"); }

    bool wait_until_applied(std::int64_t count, std::chrono::seconds limit) {
        const auto deadline = Deadline::in(limit);
        while (applied() < count && !deadline.passed()) {
        }
        return applied() >= count;
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
    constexpr int first = 5'000;
    constexpr int second = 1'000;
    std::mt19937 random(std::random_device{}());
    int kills = 0;
    const Process relay = start({"outbox-relay"});
    std::vector<Process> members;
    for (std::size_t i = 0; i < 3; ++i) {
        members.push_back(member(i));
    }
    const auto kill_while_loading = [&](Process writer) {
        while (writer.running()) {
            const std::size_t victim = 1 + random() % 2;
            members[victim].wait_for_text("never written",
                                          Deadline::in(milliseconds(200 + random() % 1'500)));
            members[victim].kill();
            members[victim] = member(victim);
            ++kills;
        }
        EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    };

    Process writer = load(first);
    ASSERT_TRUE(members[0].wait_for_text("got ", Deadline::in(60s))) << members[0].errors();
    ASSERT_TRUE(wait_until_applied(100, 60s));
    members[0].signal(SIGSTOP); // a zombie from here on: the others get its partitions and finish them
    kill_while_loading(std::move(writer));
    ASSERT_TRUE(wait_until_applied(first, 90s)) << applied();

    members[0].signal(SIGCONT); // it does not know yet that it lost them
    kill_while_loading(load(second));
    if (!members[0].running()) {
        members[0] = member(0); // the server had ended its session in mid-transaction
    }
    EXPECT_TRUE(wait_until_applied(first + second, 90s)) << applied();
    EXPECT_GT(kills, 5);
    expect_each_event_applied_once_and_in_order();
}

} // namespace
} // namespace outbox
