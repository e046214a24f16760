#include <outbox/core/text.hpp>

#include <gtest/gtest.h>

namespace outbox {
namespace {

using namespace std::string_view_literals;

TEST(Text, WhatIsUtf8StaysAsItIs) {
    const auto text = "a\u00E9\u20AC\U0001F600\n"sv;
    EXPECT_EQ(storable(text), text);
    EXPECT_EQ(storable(""), "");
}

TEST(Text, BytesThatAreNoCharacterAreReplacedOneByOne) {
    EXPECT_EQ(storable("a\0b"sv), "a\uFFFDb");
    EXPECT_EQ(storable("\xFF\xC0\xAF"sv), "\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(storable("cut \xE2\x82"sv), "cut \uFFFD\uFFFD");
    EXPECT_EQ(storable("\xED\xA0\x80 is a surrogate"sv), "\uFFFD\uFFFD\uFFFD is a surrogate");
}

TEST(IsStorable, IsUtf8WithoutNulAtEveryPlace) {
    const std::string good = "{\"name\": \"\u00e9\U0001f600 \u20ac and more of it\"}";
    EXPECT_TRUE(is_storable(""));
    EXPECT_TRUE(is_storable(good));
    for (std::size_t i = 0; i <= good.size(); ++i) {
        if (i == good.size() || (static_cast<unsigned char>(good[i]) & 0xC0) != 0x80) {
            for (const std::string& bad : {std::string("\xff"), std::string(1, '\0'), std::string("\xc3"),
                                           std::string("\xed\xa0\x80"), std::string("\x80")}) {
                EXPECT_FALSE(is_storable(good.substr(0, i) + bad + good.substr(i))) << i;
            }
        }
    }
    EXPECT_TRUE(is_storable("\x01\x02\x7f\x1f\x01\x01\x01\x01"));
}

} // namespace
} // namespace outbox
