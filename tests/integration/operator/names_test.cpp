// Two outboxes that would have one name in Kafka.
#include "fixture.hpp"

#include <fmt/format.h>

#include <regex>

namespace outbox::relays {
namespace {

using testing::AllOf;
using testing::Not;

/// The name is the first database's, whose relays are the fixture's.
class OneName : public Operator {
protected:
    [[nodiscard]] Variables second(const Variables& changes = {}) const {
        auto variables = environment();
        variables["DB_NAME"] = other.name();
        for (const auto& [name, value] : changes) {
            variables[name] = value;
        }
        return variables;
    }

    [[nodiscard]] Process start_second(const Variables& changes = {}) const {
        return Process({{support::program("outbox-relay-faults")}, second(changes)});
    }

    [[nodiscard]] support::Outcome second_verb(const Words& words, const Variables& changes = {}) const {
        support::Command command{{support::program("outbox-relay")}, second(changes)};
        command.words.insert(command.words.end(), words.begin(), words.end());
        return support::run(command, 120s);
    }

    std::string insert_second(const std::string& key) {
        return other.value(insert_sql({.key = key}) + " RETURNING id");
    }

    bool wait_second_sent(const std::string& id) {
        return wait_until(
            [&] { return other.value("SELECT status FROM outbox_events WHERE id = $1", {id}) == "SENT"; },
            30s);
    }

    /// The last line of what a relay wrote that did not start.
    static std::string last_line(const std::string& log) {
        const auto end = log.find_last_not_of('\n');
        const auto begin = log.find_last_of('\n', end);
        return log.substr(begin + 1, end - begin);
    }

    /// "OUTBOX_NAME=..." of an advice.
    static std::string proposed(const std::string& advice) {
        std::smatch found;
        return std::regex_search(advice, found, std::regex("OUTBOX_NAME=([^ ]+)")) ? found[1].str() : "";
    }

    /// Each id stands once in the test's topic.
    void expect_once_each(std::size_t events) const {
        std::map<std::string, int> times;
        for (const Message& message : read_topic(topic)) {
            ++times[message.headers.at("ce_id")];
        }
        EXPECT_EQ(times.size(), events);
        for (const auto& [id, count] : times) {
            EXPECT_EQ(count, 1) << id;
        }
    }

    support::TestDatabase other;
};

TEST_F(OneName, TheSecondDatabaseIsToldAtItsFirstStartAndWhatItIsToldWorks) {
    const Process first = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << first.errors();
    const auto id = insert_second("b");
    const auto holder = database.value("SELECT outbox_id FROM outbox_meta");

    Process refused = start_second();
    const auto outcome = refused.wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 1);
    const auto line = last_line(outcome.errors);
    EXPECT_THAT(line,
                AllOf(HasSubstr("another outbox uses the name '" + database.name() + "'"), HasSubstr(holder),
                      HasSubstr("database " + database.name()), Not(HasSubstr("adopt"))));
    const auto adopt = second_verb({"adopt"});
    EXPECT_EQ(adopt.exit_code, 1) << adopt.output;
    EXPECT_THAT(adopt.errors, HasSubstr(holder));
    EXPECT_EQ(other.value("SELECT coalesce(name, 'none') FROM outbox_meta"), "none");

    const Process relay = start_second({{"OUTBOX_NAME", proposed(line)}});
    EXPECT_TRUE(wait_second_sent(id)) << relay.errors();
    ASSERT_TRUE(wait_sent(insert({.key = "c"}))) << first.errors();
    EXPECT_EQ(count("status = 'SENT'"), 2);
    expect_once_each(3);

    Process renamed = start_second({{"OUTBOX_NAME", proposed(line) + ".2"}});
    EXPECT_THAT(
        renamed.wait(Deadline::in(60s)).errors,
        AllOf(HasSubstr("belongs to the name '" + proposed(line) + "'"), HasSubstr("set OUTBOX_NAME")));
}

TEST_F(OneName, OfTwoThatStartInOneMomentOneGetsItAndNothingIsLostOrRepeated) {
    insert({.key = "a"});
    insert_second("b");
    Process here = start_relay();
    Process there = start_second();
    const auto ended = [](Process& relay) {
        return relay.count(Signal("gave_up").saying("another outbox uses the name")) > 0;
    };
    ASSERT_TRUE(wait_until([&] { return ended(here) || ended(there); }, 60s))
        << here.errors() << there.errors();
    const bool second_lost = ended(there);
    const auto outcome = (second_lost ? there : here).wait(Deadline::in(30s));
    EXPECT_EQ(outcome.exit_code, 1);
    const Variables way_out{{"OUTBOX_NAME", proposed(last_line(outcome.errors))}};
    const Process again = second_lost ? start_second(way_out) : start_relay(way_out);
    const auto sent = [](support::TestDatabase& of) {
        return of.number("SELECT count(*) FROM outbox_events WHERE status = 'SENT'") == 1;
    };
    EXPECT_TRUE(wait_until([&] { return sent(database) && sent(other); }, 60s))
        << here.errors() << there.errors() << again.errors();
    expect_once_each(2);
}

TEST_F(OneName, ADatabaseThatTookItBeforeNeedsNoForceToLeaveIt) {
    const Process first = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << first.errors();
    const auto id = insert_second("b");
    // As an earlier version left it: named, and each shard owned and stopped.
    other.query(fmt::format("UPDATE outbox_meta SET name = '{}', cluster_id = '{}', shard_count = 4",
                            database.name(), database.value("SELECT cluster_id FROM outbox_meta")));
    other.query("INSERT INTO outbox_shards (shard, owner, epoch, stopped) SELECT n, gen_random_uuid(), 1, "
                "'foreign' FROM "
                "generate_series(0, 3) AS n");
    Process refused = start_second();
    const auto line = last_line(refused.wait(Deadline::in(60s)).errors);
    EXPECT_THAT(line, HasSubstr("outbox-relay adopt"));
    const Variables way_out{{"OUTBOX_NAME", proposed(line)}};
    const auto adopted = second_verb({"adopt"}, way_out);
    EXPECT_EQ(adopted.exit_code, 0) << adopted.errors;
    const Process relay = start_second(way_out);
    EXPECT_TRUE(wait_second_sent(id)) << relay.errors();
    ASSERT_TRUE(wait_sent(insert({.key = "c"}))) << first.errors();
    expect_once_each(3);
}

TEST_F(OneName, ThatTwoHaveWrittenUnderIsLeftByReconcileAndAdopt) {
    const Process first = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << first.errors();
    const auto id = insert_second("b");
    {
        Process relay = start_second({{"OUTBOX_NAME", other.name()}});
        ASSERT_TRUE(wait_second_sent(id)) << relay.errors();
        relay.signal(SIGKILL);
        relay.wait(Deadline::in(30s));
    }
    other.query(fmt::format("UPDATE outbox_meta SET name = '{}'", database.name()));
    other.query("UPDATE outbox_events SET status = 'PROCESSING'"); // as if its mark had been lost
    const auto waiting = insert_second("c");
    ASSERT_TRUE(wait_until([&] { return second_verb({"reconcile"}).exit_code == 0; },
                           30s)); // the dead one is noticed
    const Variables way_out{{"OUTBOX_NAME", other.name() + ".2"}};
    const auto unsettled = second_verb({"adopt"}, way_out);
    EXPECT_EQ(unsettled.exit_code, 1);
    EXPECT_THAT(unsettled.errors, HasSubstr("outbox-relay reconcile --apply"));
    const auto settled = second_verb({"reconcile", "--apply"});
    EXPECT_EQ(settled.exit_code, 0) << settled.errors;
    EXPECT_THAT(settled.output, AllOf(HasSubstr("1 events are SENT"), HasSubstr("outbox-relay adopt")));
    const auto adopted = second_verb({"adopt"}, way_out);
    EXPECT_EQ(adopted.exit_code, 0) << adopted.errors;
    const Process relay = start_second(way_out);
    EXPECT_TRUE(wait_second_sent(waiting)) << relay.errors();
    expect_once_each(3);
}

TEST_F(OneName, IsProposedWithTheSchemaWhereOneDatabaseHoldsTwoOutboxes) {
    const Process first = ready_relay();
    Variables variables = environment({{"DB_SCHEMA", "orders"}, {"OUTBOX_NAME", ""}});
    const auto up = support::run({{support::program("outbox-migrate"), "up"}, variables}, 60s);
    ASSERT_EQ(up.exit_code, 0) << up.errors;
    Process refused({{support::program("outbox-relay")}, variables});
    EXPECT_THAT(last_line(refused.wait(Deadline::in(60s)).errors),
                HasSubstr("OUTBOX_NAME=" + database.name() + "-orders "));
}

TEST_F(OneName, ThatDiffersFromAnotherInDotAndUnderscoreAloneIsRefusedInOneLine) {
    const Process first = ready_relay({{"OUTBOX_NAME", database.name() + ".x"}});
    Process refused = start_second({{"OUTBOX_NAME", database.name() + "_x"}});
    const auto outcome = refused.wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(last_line(outcome.errors), AllOf(HasSubstr("outbox." + database.name() + "_x.control"),
                                                 HasSubstr("collide"), HasSubstr("OUTBOX_NAME")));
}

TEST_F(OneName, CopiesOfADatabaseThatNeverStartedAreOutboxesOfTheirOwn) {
    support::TestDatabase copy(support::TestDatabase::Start::absent);
    const support::TestDatabase original;
    support::on_server(fmt::format("CREATE DATABASE {} TEMPLATE {}", copy.name(), original.name()));
    const auto relay_of = [&](const support::TestDatabase& of) {
        return Process({{support::program("outbox-relay")},
                        environment({{"DB_NAME", of.name()}, {"OUTBOX_NAME", of.name()}})});
    };
    const auto insert_into = [&](const support::TestDatabase& of) {
        auto session = of.connect();
        session.query(insert_sql({.key = "a"}), {}, Deadline::in(30s));
    };
    const auto ask = [](const support::TestDatabase& of, const char* sql) {
        auto session = of.connect();
        return session.query(sql, {}, Deadline::in(30s)).text(0, 0);
    };
    insert_into(original);
    insert_into(copy);
    const Process here = relay_of(original);
    const Process there = relay_of(copy);
    for (const auto* of : {&original, static_cast<const support::TestDatabase*>(&copy)}) {
        EXPECT_TRUE(
            wait_until([&] { return ask(*of, "SELECT min(status) FROM outbox_events") == "SENT"; }, 60s))
            << here.errors() << there.errors();
    }
    const auto* id = "SELECT outbox_id::text FROM outbox_meta";
    EXPECT_NE(ask(original, id), ask(copy, id));
    EXPECT_EQ(lines_with("\"level\":\"error\"", here.errors() + there.errors()), 0);
    expect_once_each(2);
}

} // namespace
} // namespace outbox::relays
