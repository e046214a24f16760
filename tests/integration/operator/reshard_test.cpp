#include "fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace outbox::relays {
namespace {

class Reshard : public Operator {
protected:
    int shard_count() { return static_cast<int>(database.number("SELECT shard_count FROM outbox_meta")); }
    bool wait_owned(int wanted) {
        return wait_until(
            [&] {
                return database.number(
                           "SELECT count(*) FROM outbox_shards AS s JOIN outbox_relays AS r ON r.relay"
                           " = s.owner, outbox_meta AS m WHERE s.shard < m.shard_count") == wanted;
            },
            30s);
    }
    bool wait_some_sent(std::int64_t more) {
        const auto before = count("status = 'SENT'");
        return wait_until([&] { return count("status = 'SENT'") >= before + more; }, 30s);
    }
};

TEST_F(Reshard, UnderLoadKeepsEachEventOnceAndInOrderAndRelaysGoOnByThemselves) {
    std::vector<Process> relays;
    for (int i = 0; i < 3; ++i) {
        relays.push_back(start_relay({{"RELAY_SHARDS", "8"}}));
    }
    ASSERT_TRUE(wait_owned(8));
    Process writer(load({"--events", "8000", "--rate", "1500", "--writers", "3", "--keys", "150"}));
    ASSERT_TRUE(wait_some_sent(500)) << relays[0].errors();
    EXPECT_EQ(done({"reshard", "3", "--reason", "less load"}), "reshard: there are 3 shards now\n");
    ASSERT_TRUE(wait_some_sent(500)) << relays[0].errors();
    EXPECT_EQ(done({"reshard", "16"}), "reshard: there are 16 shards now\n");
    EXPECT_EQ(done({"reshard", "16"}), "reshard: there are 16 shards already: nothing to do\n");
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_TRUE(wait_owned(16));
    expect_exactly_once();
    EXPECT_EQ(audit(), (Words{"reshard 8 to 3 8 f", "reshard 3 to 16 16 f", "reshard 16 to 16 0 f"}));
    for (Process& relay : relays) {
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
}

TEST_F(Reshard, WaitsForTheRecoveryOfWhatADeadRelayHadSentAndNotMarked) {
    ASSERT_EQ(support::run(load({"--events", "400"}), 60s).exit_code, 0);
    Process doomed = start_relay_with_fault("after-commit:2");
    ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL) << doomed.errors();
    Process moving({{support::program("outbox-relay"), "reshard", "7"}, environment()});
    stay_quiet(500ms);
    EXPECT_EQ(shard_count(), shards);
    const Process relay = start_relay();
    EXPECT_EQ(moving.wait(Deadline::in(60s)).exit_code, 0) << relay.errors();
    EXPECT_EQ(shard_count(), 7);
    expect_exactly_once();
}

TEST_F(Reshard, IsRefusedWhileAShardIsPausedOrStopped) {
    const Process relay = ready_relay();
    done({"pause", "--shard", "2"});
    EXPECT_THAT(refused({"reshard", "5"}), HasSubstr("shard 2 is paused"));
    done({"resume", "--shard", "2"});
    database.query("UPDATE outbox_shards SET stopped = 'a riddle' WHERE shard = 1");
    EXPECT_THAT(refused({"reshard", "5"}), HasSubstr("shard 1 is stopped: a riddle"));
    EXPECT_EQ(shard_count(), shards);
    EXPECT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
}

TEST_F(Reshard, SaysHowToAddControlPartitionsWhereItMayNot) {
    const Process relay = ready_relay();
    const auto outcome = verb({"reshard", "20"}, {{"KAFKA_CREATE_TOPICS", "off"}});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors,
                HasSubstr("--alter --topic outbox." + database.name() + ".control --partitions 20"));
    EXPECT_EQ(shard_count(), shards);
}

class ReshardKilledAt : public Reshard, public testing::WithParamInterface<const char*> {};

TEST_P(ReshardKilledAt, LeavesTheShardsAsTheyWereOrMoved) {
    const Process relay = ready_relay();
    Process writer(load({"--events", "1000", "--rate", "500"}));
    ASSERT_TRUE(wait_some_sent(100)) << relay.errors();
    const auto outcome = support::run({{support::program("outbox-relay-faults"), "reshard", "6"},
                                       environment({{"OUTBOX_FAULT", GetParam()}})},
                                      60s);
    EXPECT_EQ(outcome.signal, SIGKILL) << "the point was never passed: " << outcome.errors;
    const bool moved = std::string(GetParam()) == "reshard-after-commit";
    EXPECT_EQ(shard_count(), moved ? 6 : shards);
    EXPECT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_EQ(verb({"reshard", "6"}).exit_code, 0);
    expect_exactly_once();
}

INSTANTIATE_TEST_SUITE_P(NamedPoints, ReshardKilledAt,
                         testing::Values("reshard-held", "reshard-quiet", "reshard-before-commit",
                                         "reshard-after-commit"),
                         [](const auto& point) {
                             std::string name = point.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

} // namespace
} // namespace outbox::relays
