#include <outbox/check/line.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace outbox::check {
namespace {

const std::vector<Line> some{{"a", Status::ok, "well"},
                             {"b", Status::warn, "two\nlines", "ALTER\nTHIS;"},
                             {"c", Status::skip, "not asked"}};

TEST(CheckLines, AreALineEachWithWhatToType) {
    EXPECT_EQ(to_text(some), "OK    a: well\nWARN  b: two lines; type: ALTER THIS;\nSKIP  c: not asked\n");
}

TEST(CheckLines, FailOnlyWithAFail) {
    EXPECT_FALSE(fails(some));
    auto more = some;
    more.push_back({"d", Status::fail, "broken", "mend it"});
    EXPECT_TRUE(fails(more));
}

TEST(CheckLines, AreOneDocumentWhateverAServerSays) {
    const auto document =
        nlohmann::json::parse(to_json("outbox-relay", {{"a", Status::fail, "\"\xff\"", ""}}));
    EXPECT_EQ(document["program"], "outbox-relay");
    EXPECT_EQ(document["ok"], false);
    EXPECT_EQ(document["checks"][0]["status"], "FAIL");
    EXPECT_TRUE(document["checks"][0]["todo"].is_null());
}

} // namespace
} // namespace outbox::check
