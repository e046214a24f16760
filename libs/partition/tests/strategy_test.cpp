#include <outbox/core/error.hpp>
#include <outbox/partition/strategy.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace outbox::partition {
namespace {

TEST(Murmur2, EqualsTheJavaClientsVectors) {
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
              -58897971);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("abc")), 479470107);
}

Routing event_of(std::string_view event_type, std::string_view key = "k", std::int64_t seq = 1) {
    return {key, "topic", event_type, {}, seq};
}

std::vector<int> spread(std::int64_t first, std::int64_t events, std::int64_t step, std::int32_t partitions) {
    const RoundRobinPartitionStrategy strategy;
    std::vector<int> counts(static_cast<std::size_t>(partitions));
    for (std::int64_t i = 0; i < events; ++i) {
        const auto chosen = strategy.choose(event_of("e", "k", first + i * step), partitions);
        ++counts.at(static_cast<std::size_t>(chosen.value()));
    }
    return counts;
}

TEST(HashPartitionStrategy, StaysInsideTheTopicAndGivesOneKeyOnePartition) {
    const HashPartitionStrategy strategy;
    for (int i = 0; i < 1000; ++i) {
        const std::string key = "key-" + std::to_string(i);
        const auto partition = strategy.choose({key, "topic", "type"}, 6);
        ASSERT_TRUE(partition.has_value());
        EXPECT_GE(*partition, 0);
        EXPECT_LT(*partition, 6);
        EXPECT_EQ(partition, strategy.choose({key, "other", "type"}, 6));
    }
    EXPECT_EQ(strategy.order_caveat(), "");
}

TEST(RoundRobinPartitionStrategy, GivesEachPartitionTheSameNumberOfConsecutiveEvents) {
    for (const std::int32_t partitions : {1, 2, 3, 6, 7, 12, 100}) {
        const auto counts = spread(1, partitions * 10LL, 1, partitions);
        EXPECT_TRUE(std::all_of(counts.begin(), counts.end(), [](int each) { return each == 10; }));
    }
    const auto from_anywhere = spread(123'457, 600, 1, 6);
    EXPECT_LE(*std::ranges::max_element(from_anywhere) - *std::ranges::min_element(from_anywhere), 2);
    EXPECT_NE(RoundRobinPartitionStrategy().order_caveat(), "");
}

TEST(RoundRobinPartitionStrategy, IsNotSkewedByWritersThatInsertForSeveralTopicsInTurn) {
    for (const std::int64_t step : {2, 3, 4, 5, 6, 12, 36}) {
        const auto counts = spread(1, 60'000, step, 6);
        EXPECT_GT(*std::ranges::min_element(counts), 9'500) << "every " << step << "th event";
        EXPECT_LT(*std::ranges::max_element(counts), 10'500) << "every " << step << "th event";
    }
}

TEST(CustomPartitionStrategy, HasOneForEachEventTypeAndAFallback) {
    class Last final : public PartitionStrategy {
        std::optional<std::int32_t> choose(const Routing&, std::int32_t count) const noexcept override {
            return count - 1;
        }
    };
    CustomPartitionStrategy strategy;
    strategy.set_strategy_for_event_type("user.created", std::make_shared<Last>())
        .set_strategy_for_event_type("user.updated", [](const Routing& event, std::int32_t) {
            return event.key == "k" ? std::optional<std::int32_t>(2) : std::nullopt;
        });
    EXPECT_EQ(choose_partition(strategy, event_of("user.created"), 6), 5);
    EXPECT_EQ(choose_partition(strategy, event_of("user.updated"), 6), 2);
    const auto hashed = HashPartitionStrategy().choose(event_of("x", "other"), 6);
    EXPECT_EQ(choose_partition(strategy, event_of("user.updated", "other"), 6), hashed);
    EXPECT_EQ(choose_partition(strategy, event_of("user.deleted", "other"), 6), hashed);
    strategy.set_fallback(from_choice([](const Routing&, std::int32_t) { return 1; }));
    EXPECT_EQ(choose_partition(strategy, event_of("user.deleted", "other"), 6), 1);
}

TEST(CustomPartitionStrategy, SaysForWhichEventsOrderPerKeyIsNotKept) {
    CustomPartitionStrategy strategy;
    EXPECT_EQ(strategy.order_caveat(), "");
    strategy.set_strategy_for_event_type("page.viewed", std::make_shared<RoundRobinPartitionStrategy>());
    EXPECT_EQ(strategy.order_caveat().find("page.viewed: round-robin"), 0U) << strategy.order_caveat();
}

TEST(ChoosePartition, NeverLeavesTheTopic) {
    for (const std::int32_t wrong : {-1, 6, 7}) {
        const auto strategy = from_choice([wrong](const Routing&, std::int32_t) { return wrong; });
        EXPECT_EQ(choose_partition(*strategy, event_of("e"), 6),
                  HashPartitionStrategy().choose(event_of("e"), 6));
    }
}

TEST(ParseStrategy, KnowsTheThreeAndNamesWhatIsAllowed) {
    const auto message_of = [](std::string_view text) -> std::string {
        try {
            parse_strategy("RELAY_PARTITION_STRATEGY", text);
        } catch (const UsageError& error) {
            return error.what();
        }
        return "accepted";
    };
    for (const char* good : {"hash", "round-robin", "field:/user_id", "field:/a/0/b"}) {
        EXPECT_EQ(message_of(good), "accepted");
    }
    for (const char* bad : {"", "Hash", "random", "field:", "field:user_id", "field:/"}) {
        EXPECT_EQ(message_of(bad),
                  std::string("RELAY_PARTITION_STRATEGY=") + bad +
                      " is not allowed: it must be hash, round-robin or field:/path, such as "
                      "field:/user_id");
    }
}

} // namespace
} // namespace outbox::partition
