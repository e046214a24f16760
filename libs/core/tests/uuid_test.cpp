#include <outbox/core/uuid.hpp>

#include <gtest/gtest.h>

namespace outbox {
namespace {

TEST(Uuid, ReadsBackWhatItWrites) {
    const Uuid id = Uuid::random();
    EXPECT_EQ(Uuid::parse(id.to_string()), id);
}

TEST(Uuid, RefusesWhatIsNotCanonical) {
    EXPECT_EQ(Uuid::parse(""), std::nullopt);
    EXPECT_EQ(Uuid::parse("0190163d8694739baea5966c26f8ad91"), std::nullopt);
    EXPECT_EQ(Uuid::parse("0190163d-8694-739b-aea5-966c26f8ad9g"), std::nullopt);
    EXPECT_EQ(Uuid::parse("0190163d_8694-739b-aea5-966c26f8ad91"), std::nullopt);
    EXPECT_TRUE(Uuid::parse("0190163D-8694-739B-AEA5-966C26F8AD91").has_value());
}

TEST(Uuid, TimeOrderedOnesCarryVersionSevenAndTheClock) {
    const auto before = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
    const Uuid id = Uuid::time_ordered();
    std::int64_t stamp = 0;
    for (std::size_t i = 0; i < 6; ++i) {
        stamp = stamp * 256 + id.bytes()[i];
    }
    EXPECT_GE(stamp, before);
    EXPECT_LT(stamp, before + 60'000);
    EXPECT_EQ(id.to_string()[14], '7');
}

} // namespace
} // namespace outbox
