#include <outbox/http/problem.hpp>
#include <outbox/users/input.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

namespace outbox::users {
namespace {

using nlohmann::json;

http::JsonObject members(const json& body) {
    return http::parse_json_object(body.dump(), {"email", "name", "crash_after_db"});
}

/// The fields that `read` complains about.
template <class Read>
std::set<std::string> wrong_fields(Read read, const json& body) {
    std::set<std::string> fields;
    try {
        std::ignore = read(members(body));
    } catch (const http::ProblemError& error) {
        EXPECT_EQ(error.problem().type.status, 422);
        for (const auto& wrong : error.problem().errors) {
            fields.insert(wrong.field);
        }
    }
    return fields;
}

using Fields = std::set<std::string>;

std::string repeated(const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) {
        all += text;
    }
    return all;
}

TEST(UserInput, EveryWrongFieldIsNamed) {
    EXPECT_EQ(wrong_fields(read_new_user, json::object()), (Fields{"email", "name"}));
    EXPECT_EQ(wrong_fields(read_new_user, {{"email", "a@b"}}), Fields{"name"});
    EXPECT_EQ(wrong_fields(read_new_user, {{"email", 1}, {"name", nullptr}}), (Fields{"email", "name"}));
    EXPECT_EQ(wrong_fields(read_new_user, {{"email", "a@b"}, {"name", json::array({"x"})}}), Fields{"name"});
    EXPECT_EQ(wrong_fields(read_new_user, {{"email", "a@b"}, {"name", "x"}}), Fields{});
}

TEST(UserInput, UnknownMembersAreIgnored) {
    const NewUser user =
        read_new_user(members({{"email", "a@b"}, {"name", "x"}, {"id", 7}, {"role", "admin"}}));
    EXPECT_EQ(user.email, "a@b");
    EXPECT_EQ(user.name, "x");
}

TEST(UserInput, AChangeNeedsOneOfTheTwo) {
    EXPECT_EQ(wrong_fields(read_user_change, json::object()), (Fields{"email", "name"}));
    EXPECT_EQ(wrong_fields(read_user_change, {{"role", "admin"}}), (Fields{"email", "name"}));
    EXPECT_EQ(wrong_fields(read_user_change, {{"email", nullptr}, {"name", "x"}}), Fields{"email"});
    const UserChange change = read_user_change(members({{"name", "y"}}));
    EXPECT_FALSE(change.email);
    EXPECT_EQ(change.name, "y");
}

TEST(UserInput, NamesHave1To255CharactersNotBytes) {
    EXPECT_FALSE(name_error("x"));
    EXPECT_FALSE(name_error(repeated("é", 255)));
    EXPECT_FALSE(name_error(repeated("😀", 255)));
    EXPECT_TRUE(name_error(""));
    EXPECT_TRUE(name_error(repeated("é", 256)));
    EXPECT_TRUE(name_error(repeated("x", 256)));
    EXPECT_TRUE(name_error(std::string_view("a\0b", 3))) << "PostgreSQL has no U+0000 in text";
    for (const char* blank : {" ", "\t\n", "\u00a0", "\u200b\u2003"}) {
        EXPECT_TRUE(name_error(blank)) << blank;
    }
    EXPECT_FALSE(name_error(" x "));
}

TEST(UserInput, EmailsHaveOneAtWithSomethingOnBothSides) {
    for (const char* good : {"a@b", "ada.lovelace+x@example.com", "müller@exämple.de"}) {
        EXPECT_FALSE(email_error(good)) << good;
    }
    for (const char* bad : {"", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b ", "a@b\n", "a\x7f@b",
                            "a\u00a0@b", "a\u2003@b", "a\u0085@b", "a\u202e@b", "a\u00ad@b", "a\u2069@b"}) {
        EXPECT_TRUE(email_error(bad)) << bad;
    }
    EXPECT_TRUE(email_error(std::string_view("a\0@b", 4)));
    EXPECT_FALSE(email_error(repeated("é", 253) + "@b"));
    EXPECT_TRUE(email_error(repeated("é", 254) + "@b"));
}

TEST(UserInput, CrashAfterDbIsABooleanAndTrueWhenLeftOut) {
    EXPECT_TRUE(read_crash_after_db(members(json::object())));
    EXPECT_FALSE(read_crash_after_db(members({{"crash_after_db", false}})));
    EXPECT_EQ(wrong_fields(read_crash_after_db, {{"crash_after_db", "no"}}), Fields{"crash_after_db"});
}

TEST(UserInput, AnIdempotencyKeyIsShortPrintableAscii) {
    EXPECT_NO_THROW(check_idempotency_key("6f9e-~ !"));
    EXPECT_NO_THROW(check_idempotency_key(repeated("k", 255)));
    EXPECT_THROW(check_idempotency_key(""), http::ProblemError);
    EXPECT_THROW(check_idempotency_key(repeated("k", 256)), http::ProblemError);
    EXPECT_THROW(check_idempotency_key("ké"), http::ProblemError);
    EXPECT_THROW(check_idempotency_key("k\t"), http::ProblemError);
}

} // namespace
} // namespace outbox::users
