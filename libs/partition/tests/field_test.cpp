#include <outbox/core/error.hpp>
#include <outbox/partition/strategy.hpp>

#include <gtest/gtest.h>

namespace outbox::partition {
namespace {

constexpr std::int32_t count = 1'000;

/// Where a field with this content goes, as the Java client would send a record with it as the key.
std::int32_t home_of(std::string_view content) {
    return HashPartitionStrategy().choose({content, "t", "e"}, count).value();
}

std::optional<std::int32_t> chosen(const std::string& pointer, std::string_view data) {
    return UserIDPartitionStrategy(pointer).choose({"key", "t", "e", data, 1}, count);
}

TEST(UserIDPartitionStrategy, HashesTheContentOfItsField) {
    EXPECT_EQ(chosen("/user_id", R"({"a":[1,{"user_id":"no"}],"user_id":"u-7"})"), home_of("u-7"));
    EXPECT_EQ(chosen("/customer/id", R"({"customer":{"name":"x","id":42},"id":1})"), home_of("42"));
    EXPECT_EQ(chosen("/customer/id", R"({"id":1,"customer":{"deep":{"id":2},"id":-3}})"), home_of("-3"));
    EXPECT_EQ(chosen("/lines/1/sku", R"({"lines":[{"sku":"a"},{"n":[9],"sku":"b"}]})"), home_of("b"));
    EXPECT_EQ(chosen("/1", R"(["a","b"])"), home_of("b"));
    EXPECT_EQ(chosen("/price", R"({"price":10.50})"), home_of("10.50"));
    EXPECT_EQ(chosen("/on", R"({"on":true})"), home_of("true"));
    EXPECT_EQ(chosen("/a~1b/~0", R"({"a/b":{"~":"x"}})"), home_of("x"));
    EXPECT_EQ(chosen("/n", R"({"n":"\"é\u00e9\\"})"), home_of("\"éé\\"));
}

TEST(UserIDPartitionStrategy, ANumberCountsAsItIsWritten) {
    const std::string digits(100'000, '7');
    for (const std::string& number :
         {std::string("12345678901234567890123"), std::string("18446744073709551616"), std::string("-0"),
          std::string("0.1000"), std::string("1e400"), digits}) {
        EXPECT_EQ(chosen("/id", R"({"big":1e400,"id":)" + number + "}"), home_of(number))
            << number.substr(0, 40);
    }
}

TEST(UserIDPartitionStrategy, AnEventThatIsTooDeepToBeReadIsNotSentWhereItDoesNotBelong) {
    const std::string deep = std::string(20'000, '[') + std::string(20'000, ']');
    EXPECT_EQ(chosen("/id", R"({"id":1,"x":)" + deep + "}"), home_of("1")) << "found before";
    EXPECT_EQ(chosen("/id", R"({"x":)" + deep + R"(,"id":1})"), PartitionStrategy::unreadable);
    const std::string data = R"({"x":)" + deep + "}";
    EXPECT_EQ(choose_partition(UserIDPartitionStrategy("/id"), {"key", "t", "e", data, 1}, count),
              std::nullopt);
}

TEST(UserIDPartitionStrategy, LeavesEventsWithoutTheFieldToTheKey) {
    for (const char* data :
         {"{}", R"({"user_id":null})", R"({"user_id":{"a":1}})", R"({"user_id":[1]})",
          R"({"x":{"user_id":1}})", R"([{"user_id":1}])", "\"text\"", "17", "not json", ""}) {
        EXPECT_EQ(chosen("/user_id", data), std::nullopt) << data;
        EXPECT_EQ(choose_partition(UserIDPartitionStrategy("/user_id"), {"key", "t", "e", data, 1}, count),
                  home_of("key"))
            << data;
    }
}

TEST(UserIDPartitionStrategy, TakesTheUsersIdByDefaultAndTheEventsOwnWhereThereIsNone) {
    const UserIDPartitionStrategy strategy;
    EXPECT_EQ(strategy.choose({"k", "t", "e", R"({"id":"order","user_id":"u"})"}, count), home_of("u"));
    EXPECT_EQ(strategy.choose({"k", "t", "e", R"({"id":"u2","name":"Ada"})"}, count), home_of("u2"));
}

TEST(UserIDPartitionStrategy, APathThatIsNoneIsRefused) {
    for (const char* bad : {"", "/", "user_id", "/a~2", "/a~"}) {
        EXPECT_THROW(UserIDPartitionStrategy{std::string(bad)}, UsageError) << bad;
    }
}

} // namespace
} // namespace outbox::partition
