#include <outbox/core/json.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace outbox::json {
namespace {

/// Everything, in one line.
class Transcript : public Visitor {
public:
    bool open_object() override { return put("{"); }
    bool close_object() override { return put("}"); }
    bool open_array() override { return put("["); }
    bool close_array() override { return put("]"); }
    bool name(std::string_view text) override { return put(std::string(text) + "="); }
    bool scalar(Kind kind, std::string_view text) override {
        static constexpr std::string_view letters = "0bns";
        return put(std::string(1, letters.at(static_cast<std::size_t>(kind))) + ":" + std::string(text));
    }

    std::string line;

private:
    bool put(const std::string& token) {
        line += (line.empty() ? "" : " ") + token;
        return true;
    }
};

std::string read_back(std::string_view text) {
    Transcript transcript;
    return read(text, transcript) == End::whole ? transcript.line : "no JSON";
}

End end_of(std::string_view text) {
    Transcript transcript;
    return read(text, transcript);
}

TEST(Json, TellsWhatStandsThereInItsOrder) {
    EXPECT_EQ(read_back(R"( {"a": [1, true, null, "x"], "b": {}} )"),
              "{ a= [ n:1 b:true 0:null s:x ] b= { } }");
    EXPECT_EQ(read_back(R"({"a":1,"a":2})"), "{ a= n:1 a= n:2 }") << "a name that comes twice";
    EXPECT_EQ(read_back(R"("\"\\\/\b\n\u00e9\ud83d\ude00 é")"), "s:\"\\/\b\né😀 é");
    EXPECT_EQ(read_back(R"({"\u0061\"":1})"), "{ a\"= n:1 }");
}

TEST(Json, NumbersStayTheTextThatTheyAre) {
    for (const char* number : {"0", "-0", "0.1000", "1e400", "-1E+400", "12345678901234567890123", "1.50",
                               "18446744073709551616", "0.30000000000000004", "4.9e-324", "1e-400"}) {
        EXPECT_EQ(read_back(number), std::string("n:") + number);
        EXPECT_EQ(read_back(std::string("[") + number + "]"), std::string("[ n:") + number + " ]");
    }
    const std::string digits(100'000, '7');
    EXPECT_EQ(read_back(digits), "n:" + digits);
    EXPECT_EQ(read_back("0." + digits + "1"), "n:0." + digits + "1");
}

TEST(Json, RefusesWhatIsNone) {
    for (const char* text : {"",
                             " ",
                             "{",
                             "[1,]",
                             "{\"a\":1,}",
                             "01",
                             "1.",
                             ".5",
                             "+1",
                             "0x1",
                             "NaN",
                             "nul",
                             "'a'",
                             "[1] 2",
                             "{} x",
                             "\"\\ud800\"",
                             "\"\\ude00\"",
                             "\"\xff\"",
                             "\"\xed\xa0\x80\"",
                             "\"a\nb\"",
                             "// c\n1",
                             "\xEF\xBB\xBF{}"}) {
        EXPECT_EQ(end_of(text), End::no_json) << text;
    }
    EXPECT_EQ(end_of(std::string_view("1\0", 2)), End::no_json) << "something behind a NUL";
}

TEST(Json, GoesAsDeepAsPostgreSqlStoresAndNoDeeper) {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_EQ(end_of(nested(max_depth)), End::whole);
    EXPECT_EQ(end_of(nested(max_depth + 1)), End::too_deep);
    EXPECT_EQ(end_of(nested(1'000'000)), End::too_deep);
}

TEST(Json, IsReadInTimeThatGrowsWithItsLength) {
    const auto time_of = [](std::size_t members) {
        std::string text = "[";
        for (std::size_t i = 0; i < members; ++i) {
            text += "{},";
        }
        text += "1]";
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(end_of(text), End::whole);
        return std::chrono::steady_clock::now() - begin;
    };
    time_of(1'000);
    EXPECT_LT(time_of(200'000), 200 * (time_of(20'000) + std::chrono::milliseconds(1)));
}

} // namespace
} // namespace outbox::json
