#include <outbox/operator/status.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace outbox::verbs {
namespace {

using testing::HasSubstr;
using testing::Not;

ShardStatus running(int number) {
    ShardStatus shard;
    shard.shard = number;
    shard.owner = "host:7";
    shard.owner_alive = true;
    return shard;
}

Status with(const ShardStatus& second) {
    Status status;
    status.shards = {running(0), second};
    return status;
}

TEST(Status, IsHealthyWhileEveryShardHasALivingOwnerAndNoneIsStopped) {
    EXPECT_TRUE(with(running(1)).healthy());
    ShardStatus shard = running(1);
    shard.paused = true;
    EXPECT_TRUE(with(shard).healthy()) << "a pause is wished for";
    shard = running(1);
    shard.stopped = "why";
    EXPECT_FALSE(with(shard).healthy());
    shard = running(1);
    shard.hindered = "why";
    EXPECT_FALSE(with(shard).healthy());
    Status alarmed = with(running(1));
    alarmed.alarms = {"why"};
    EXPECT_FALSE(alarmed.healthy());
    shard = running(1);
    shard.owner_alive = false;
    EXPECT_FALSE(with(shard).healthy());
    shard.owner.reset();
    EXPECT_FALSE(with(shard).healthy());
    EXPECT_FALSE(Status{}.healthy()) << "no relay has run yet";
}

TEST(Status, NamesTheWorstStateOfAShardFirst) {
    ShardStatus shard = running(1);
    EXPECT_STREQ(shard.state(), "running");
    shard.paused = true;
    EXPECT_STREQ(shard.state(), "pausing");
    shard.quiet = true;
    EXPECT_STREQ(shard.state(), "quiet");
    shard.hindered = "why";
    EXPECT_STREQ(shard.state(), "recovering");
    shard.owner_alive = false;
    EXPECT_STREQ(shard.state(), "unowned");
    shard.stopped = "why";
    EXPECT_STREQ(shard.state(), "stopped");
}

TEST(Status, AsTextHasColumnsThatLineUpAndNoTrailingSpace) {
    ShardStatus shard = running(1);
    shard.stopped = "the control topic was emptied";
    shard.oldest = milliseconds(3'725'000);
    const auto text = to_table(with(shard));
    EXPECT_THAT(text, HasSubstr("shard  state    owner   epoch"));
    EXPECT_THAT(text, HasSubstr("\n0      running  host:7  0"));
    EXPECT_THAT(text, HasSubstr("\n1      stopped  host:7  0"));
    EXPECT_THAT(text, HasSubstr("1 h 2 min"));
    EXPECT_THAT(text, HasSubstr("shard 1 stopped: the control topic was emptied\n"));
    EXPECT_THAT(text, HasSubstr("no relay is alive"));
    EXPECT_THAT(text, Not(HasSubstr(" \n")));
}

TEST(Status, AsJsonIsOneDocumentWithNullForWhatIsNotKnown) {
    ShardStatus shard = running(1);
    shard.failed = 2;
    shard.oldest = milliseconds(1'500);
    Status status = with(shard);
    status.backlog = 7;
    status.failed = 2;
    const auto document = nlohmann::json::parse(to_json(status));
    EXPECT_EQ(document["backlog"], 7);
    EXPECT_EQ(document["failed"], 2);
    EXPECT_EQ(document["healthy"], true);
    EXPECT_EQ(document["shards"][1]["oldest_seconds"], 1.5);
    EXPECT_EQ(document["shards"][0]["oldest_seconds"], nullptr);
    EXPECT_EQ(document["shards"][0]["stopped"], nullptr);
    EXPECT_EQ(document["pauses"], nlohmann::json::array());
}

} // namespace
} // namespace outbox::verbs
