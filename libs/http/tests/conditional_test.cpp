#include <outbox/http/conditional.hpp>
#include <outbox/http/problem.hpp>

#include <gtest/gtest.h>

namespace outbox::http {
namespace {

const std::string tag = entity_tag("body");

Headers headers_of(const std::vector<Headers::Field>& fields) {
    Headers headers;
    for (const auto& [name, value] : fields) {
        headers.add(name, value);
    }
    return headers;
}

bool hold(const std::vector<Headers::Field>& fields) {
    return preconditions_hold(headers_of(fields), "body");
}

TEST(Conditional, ATagIsQuotedAndDiffersWithEveryByte) {
    EXPECT_EQ(tag.size(), 18U);
    EXPECT_EQ(tag.front(), '"');
    EXPECT_EQ(tag, entity_tag("body"));
    EXPECT_NE(tag, entity_tag("bodY"));
    EXPECT_NE(tag, entity_tag("body "));
}

TEST(Conditional, IfMatchHoldsForTheTagAndForAnyTag) {
    EXPECT_TRUE(hold({}));
    EXPECT_TRUE(hold({{"If-Match", tag}}));
    EXPECT_TRUE(hold({{"if-match", "*"}}));
    EXPECT_TRUE(hold({{"If-Match", "\"x\", " + tag}}));
    EXPECT_TRUE(hold({{"If-Match", "\"x\""}, {"If-Match", tag}}));
    EXPECT_FALSE(hold({{"If-Match", "\"x\""}}));
    EXPECT_FALSE(hold({{"If-Match", "\"a,b\",\"\""}}));
    EXPECT_FALSE(hold({{"If-Match", "W/" + tag}})) << "a weak tag does not say that it is the same";
    EXPECT_FALSE(hold({{"If-Match", ""}}));
}

TEST(Conditional, IfNoneMatchHoldsForOthers) {
    EXPECT_TRUE(hold({{"If-None-Match", "\"x\""}}));
    EXPECT_FALSE(hold({{"If-None-Match", tag}}));
    EXPECT_FALSE(hold({{"If-None-Match", "W/" + tag}}));
    EXPECT_FALSE(hold({{"If-None-Match", "*"}}));
}

TEST(Conditional, WhatIsNoListOfTagsIs400) {
    for (const char* list : {"abc", "\"abc", "*, \"a\"", "\"a\"\"b\"", "W/a", "w/\"a\"", "\"a\" b"}) {
        try {
            hold({{"If-Match", list}});
            ADD_FAILURE() << list;
        } catch (const ProblemError& error) {
            EXPECT_EQ(error.problem().type.status, 400);
        }
    }
}

TEST(Conditional, AGetThatHasItAlreadyIs304WithoutABody) {
    const auto answer = [](const std::vector<Headers::Field>& fields) {
        return conditional(headers_of(fields), Response{.body = "body"});
    };
    EXPECT_EQ(answer({}).status, 200);
    EXPECT_EQ(answer({}).headers.find("ETag"), tag);
    const Response known = answer({{"If-None-Match", tag}});
    EXPECT_EQ(known.status, 304);
    EXPECT_EQ(known.body, "");
    EXPECT_EQ(known.headers.find("ETag"), tag);
    EXPECT_THROW(answer({{"If-Match", "\"x\""}}), ProblemError);
}

} // namespace
} // namespace outbox::http
