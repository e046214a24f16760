#include "wire/versions.hpp"
#include "wire/wire.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace outbox::kafka::wire {
namespace {

using namespace std::string_literals;

TEST(Wire, NumbersAreInNetworkOrder) {
    Encoder out;
    out.int16(0x0102);
    out.int32(-2);
    EXPECT_EQ(out.bytes(), "\x01\x02\xFF\xFF\xFF\xFE"s);
}

TEST(Wire, ACompactLengthIsOneMoreThanTheLengthInSevenBitGroups) {
    Encoder out;
    out.compact_size(299);
    EXPECT_EQ(out.bytes(), "\xAC\x02"s);
}

TEST(Wire, WhatWasWrittenIsRead) {
    const std::string longer(300, 'x');
    Encoder out;
    out.int8(-1);
    out.int64(std::numeric_limits<std::int64_t>::min());
    out.string("abc");
    out.compact_string(longer);
    out.compact_size(2);
    out.no_tags();
    Decoder in(out.bytes());
    EXPECT_EQ(in.int8(), -1);
    EXPECT_EQ(in.int64(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(in.string(), "abc");
    EXPECT_EQ(in.compact_string(), longer);
    EXPECT_EQ(in.compact_size(), 2U);
    in.tags();
    EXPECT_THROW(in.int8(), Malformed);
}

TEST(Wire, TagsThatAreNotKnownAreSkipped) {
    const std::string bytes = "\x02\x00\x01z\x05\x02yy\x07"s;
    Decoder in(bytes);
    in.tags();
    EXPECT_EQ(in.int8(), 7);
}

TEST(Wire, ALengthBeyondTheEndIsMalformed) {
    EXPECT_THROW(Decoder("\x7F"
                         "ab"s)
                     .compact_string(),
                 Malformed);
    EXPECT_THROW(Decoder("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s).compact_size(), Malformed);
}

TEST(Wire, BytesHaveALengthOfFourBytes) {
    Encoder out;
    out.byte_string("ab");
    EXPECT_EQ(out.bytes(), "\x00\x00\x00\x02"
                           "ab"s);
    EXPECT_EQ(Decoder(out.bytes()).byte_string(), "ab");
    EXPECT_THROW(Decoder("\x7F\xFF\xFF\xFF"
                         "ab"s)
                     .byte_string(),
                 Malformed);
}

TEST(Wire, NullStringsAreEmpty) {
    EXPECT_EQ(Decoder("\xFF\xFF"s).string(), "");
    EXPECT_EQ(Decoder("\x00"s).compact_string(), "");
    EXPECT_EQ(Decoder("\xFF\xFF\xFF\xFF"s).byte_string(), "");
}

TEST(Versions, SayWhetherABrokerKnowsARequest) {
    wire::Encoder answer;
    answer.int16(0);
    answer.int32(2);
    for (const auto key : {std::int16_t{3}, std::int16_t{61}}) {
        answer.int16(key);
        answer.int16(2); // oldest
        answer.int16(5);
    }
    EXPECT_TRUE(knows(answer.bytes(), {61, 2, true}));
    EXPECT_TRUE(knows(answer.bytes(), {61, 5, true}));
    EXPECT_FALSE(knows(answer.bytes(), {61, 1, true}));
    EXPECT_FALSE(knows(answer.bytes(), {61, 6, true}));
    EXPECT_FALSE(knows(answer.bytes(), {65, 2, true})) << "it would hang up";
    EXPECT_FALSE(knows(std::string("\0\x23", 2), {61, 2, true})) << "an error is no list";
    EXPECT_THROW(knows(answer.bytes().substr(0, 9), {61, 2, true}), wire::Malformed);
}

} // namespace
} // namespace outbox::kafka::wire
