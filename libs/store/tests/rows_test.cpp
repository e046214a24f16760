#include <outbox/store/row.hpp>

#include <gtest/gtest.h>

namespace outbox::store {
namespace {

/// Rows with so much content to be read yet; 0: it is here.
std::size_t rows(const std::vector<std::int64_t>& unread, std::size_t room) {
    std::vector<Row> all;
    for (const std::int64_t bytes : unread) {
        all.emplace_back().unread = bytes;
    }
    return rows_with_room(all, room);
}

TEST(RowsWithRoom, AreThoseBeforeTheLargeOneThatFindsNone) {
    EXPECT_EQ(rows({}, 100), 0U);
    EXPECT_EQ(rows({0, 0, 0, 0}, 1), 4U) << "what is here needs no room";
    EXPECT_EQ(rows({9'000, 9'000, 9'000, 9'000}, 30'000), 3U);
    EXPECT_EQ(rows({0, 9'000, 9'000, 0}, 10'000), 2U);
    EXPECT_EQ(rows({9'000, 9'000}, 0), 1U) << "the first goes in any case";
    EXPECT_EQ(rows({9'000, 0, 0, 9'000}, 10), 3U);
}

TEST(RowsWithRoom, VeryLargeOnesGoAlone) {
    EXPECT_EQ(rows({alone_from, 0, 0}, 1 << 30), 1U);
    EXPECT_EQ(rows({0, alone_from, 0}, 1 << 20), 1U);
    EXPECT_EQ(rows({alone_from - 1, 0}, 1 << 30), 2U);
}

} // namespace
} // namespace outbox::store
