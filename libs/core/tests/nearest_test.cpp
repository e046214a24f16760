#include <outbox/core/nearest.hpp>

#include <gtest/gtest.h>

#include <array>

namespace outbox {
namespace {

constexpr std::array<std::string_view, 6> names{"RELAY_BATCH_SIZE", "RELAY_SHARDS", "RELAY_LEASE",
                                                "RELAY_FORMAT",     "DB_HOST",      "DB_PORT"};

TEST(Nearest, ForgivesALetterASwapASeparatorAndTheCase) {
    EXPECT_EQ(nearest("RELAY_BATCHSIZE", names), "RELAY_BATCH_SIZE");
    EXPECT_EQ(nearest("RELAY_SHRADS", names), "RELAY_SHARDS");
    EXPECT_EQ(nearest("RELAY_LEASES", names), "RELAY_LEASE");
    EXPECT_EQ(nearest("relay.format", names), "RELAY_FORMAT");
    EXPECT_EQ(nearest("DB_PROT", names), "DB_PORT");
    EXPECT_EQ(nearest("DB_HOTS", names), "DB_HOST");
}

TEST(Nearest, FindsNothingWhereNothingIsLikeIt) {
    EXPECT_EQ(nearest("OUTBOX_SERVICE_HOST", names), "");
    EXPECT_EQ(nearest("x", names), "");
    EXPECT_EQ(nearest("", names), "");
    EXPECT_EQ(nearest("DB_HOST", {}), "");
}

TEST(Nearest, AsksInHalfASentence) {
    EXPECT_EQ(did_you_mean("DB_HOTS", names), "; did you mean DB_HOST?");
    EXPECT_EQ(did_you_mean("DB_HOTS", names, "$"), "; did you mean $DB_HOST?");
    EXPECT_EQ(did_you_mean("nothing like it", names), "");
}

} // namespace
} // namespace outbox
