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

} // namespace
} // namespace outbox
