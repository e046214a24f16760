#include "network.hpp"

#include <gtest/gtest.h>

namespace outbox::check {
namespace {

TEST(Places, OfADatabaseHaveOnePortOrOneEach) {
    EXPECT_EQ(database_places("a,b", "1"), (std::vector<Place>{{"a", "1"}, {"b", "1"}}));
    EXPECT_EQ(database_places("a,b", "1,2"), (std::vector<Place>{{"a", "1"}, {"b", "2"}}));
    EXPECT_EQ(database_places("/run/postgresql", "1"), (std::vector<Place>{{"/run/postgresql", "1"}}));
}

TEST(Places, OfBrokersMayNameAProtocolAndLeaveOutThePort) {
    EXPECT_EQ(broker_places("a:1,SASL_SSL://b:2,c,[::1]:3,[::1]"),
              (std::vector<Place>{{"a", "1"}, {"b", "2"}, {"c", "9092"}, {"::1", "3"}, {"::1", "9092"}}));
}

TEST(Reaching, TellsAFolderFromAName) {
    std::vector<Line> lines;
    EXPECT_TRUE(reach("database", {"/run/postgresql", "5432"}, "DB_HOST", milliseconds(100), lines));
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].status, Status::ok);
}

} // namespace
} // namespace outbox::check
