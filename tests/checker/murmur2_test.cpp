#include "murmur2.hpp"

#include <gtest/gtest.h>

namespace checker {
namespace {

TEST(Murmur2, GivesWhatTheJavaClientsOwnTestSuiteExpects) {
    EXPECT_EQ(murmur2("21"), -973932308);
    EXPECT_EQ(murmur2("foobar"), -790332482);
    EXPECT_EQ(murmur2("a-little-bit-long-string"), -985981536);
    EXPECT_EQ(murmur2("a-little-bit-longer-string"), -1486304829);
    EXPECT_EQ(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
    EXPECT_EQ(murmur2("abc"), 479470107);
}

TEST(Murmur2, TakesBytesAboveAsciiAsUnsigned) {
    // Every tail length, and a whole word, with the top bit set. Values from kafka-clients 4.3.1.
    EXPECT_EQ(murmur2("\xc3\xa9"), 186971271);
    EXPECT_EQ(murmur2("\xe2\x82\xac"), -1352192002);
    EXPECT_EQ(murmur2("\xf0\x9f\x8c\x8d\xc3"), -1104513649);
}

TEST(Murmur2, PartitionIsTheHashWithoutItsSignModuloTheCount) {
    EXPECT_EQ(java_partition("21", 6), (-973932308 & 0x7fffffff) % 6);
    EXPECT_EQ(java_partition("abc", 10), 7);
    for (const char* key : {"", "a", "ab", "abc", "abcd", "21"}) {
        EXPECT_EQ(java_partition(key, 1), 0);
        EXPECT_GE(java_partition(key, 7), 0);
    }
}

} // namespace
} // namespace checker
