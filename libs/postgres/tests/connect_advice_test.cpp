#include "../src/connect_advice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::postgres {
namespace {

using testing::HasSubstr;

TEST(ConnectAdvice, SaysWhichSettingToLookAt) {
    EXPECT_THAT(connect_advice("FATAL:  database \"x\" does not exist"), HasSubstr("outbox-migrate up"));
    EXPECT_THAT(connect_advice("FATAL:  role \"x\" does not exist"), HasSubstr("DB_USER"));
    EXPECT_THAT(connect_advice("FATAL:  password authentication failed for user \"x\""),
                HasSubstr("DB_PASSWORD"));
    EXPECT_THAT(connect_advice("fe_sendauth: no password supplied"), HasSubstr("DB_PASSWORD"));
    EXPECT_THAT(connect_advice("connection to server at \"::1\", port 1 failed: Connection refused\n"
                               "\tIs the server running on that host and accepting TCP/IP connections?"),
                HasSubstr("DB_HOST and DB_PORT"));
    EXPECT_THAT(connect_advice("could not translate host name \"x\" to address"), HasSubstr("DB_HOST"));
}

TEST(ConnectAdvice, IsSilentWhereTheServersWordsSayEnough) {
    EXPECT_EQ(connect_advice("FATAL:  the database system is starting up"), "");
    EXPECT_EQ(connect_advice("FATAL:  sorry, too many clients already"), "");
}

} // namespace
} // namespace outbox::postgres
