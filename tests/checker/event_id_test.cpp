#include "event_id.hpp"

#include <gtest/gtest.h>

namespace checker {
namespace {

TEST(EventId, TextComesBackAsItWas) {
    const auto id = EventId::parse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->text(), "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
}

TEST(EventId, CapitalsNameTheSameEvent) {
    EXPECT_EQ(EventId::parse("0190A1B2-C3D4-7E5F-8A9B-0C1D2E3F4A5B"),
              EventId::parse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"));
}

TEST(EventId, AnythingElseIsNoId) {
    EXPECT_FALSE(EventId::parse(""));
    EXPECT_FALSE(EventId::parse("0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"));
    EXPECT_FALSE(EventId::parse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5"));
    EXPECT_FALSE(EventId::parse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5bc"));
    EXPECT_FALSE(EventId::parse("0190a1b2-c3d4-7e5f-8a9b+0c1d2e3f4a5b"));
    EXPECT_FALSE(EventId::parse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5g"));
}

} // namespace
} // namespace checker
