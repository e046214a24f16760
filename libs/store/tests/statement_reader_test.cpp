#include "reader.hpp"

#include <gmock/gmock.h>

#include <stdexcept>

namespace outbox::statements {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::vector<Entry> read_one(const std::string& text) {
    const Source source{"a", text};
    return read({&source, 1}, {{"bucket_count", "64"}});
}

std::string refusal(const std::string& text) {
    try {
        read_one(text);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

constexpr auto uses_count = "\n-- statement: outbox_uses\n-- Uses it.\nSELECT {bucket_count};\n";

TEST(StatementReader, TakesEachParagraphForAStatementWithItsNameAndItsComment) {
    const auto entries =
        read_one("-- About this file.\n\n"
                 "-- statement: outbox_one\n-- The first.\n-- And more.\nSELECT 1\n  FROM t;\n"
                 "\n\n-- statement: outbox_two\n-- The second.\nSELECT {bucket_count};\n");
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].name, "outbox_one");
    EXPECT_EQ(entries[0].comment, "The first.\nAnd more.");
    EXPECT_EQ(entries[0].sql, "SELECT 1\n  FROM t");
    EXPECT_EQ(entries[1].sql, "SELECT 64");
}

TEST(StatementReader, FillsFragmentsInWithTheirArguments) {
    const auto entries = read_one("-- fragment: key(t)\n-- A key.\ncoalesce({t}.a, '{t}')\n\n"
                                  "-- fragment: same(t, u)\n-- Of one key.\n{key({t})} = {key({u})}\n\n"
                                  "-- statement: outbox_one\n-- Finds.\n"
                                  "SELECT {key(f(x, y))} WHERE {same(o, w)};\n" +
                                  std::string(uses_count));
    EXPECT_EQ(entries[0].sql,
              "SELECT coalesce(f(x, y).a, 'f(x, y)') WHERE coalesce(o.a, 'o') = coalesce(w.a, 'w')");
}

TEST(StatementReader, SetsTheLinesOfAFragmentBelowEachOther) {
    const auto entries = read_one("-- fragment: two\n-- Two lines.\na\nAND b\n\n"
                                  "-- statement: outbox_one\n-- Finds.\nSELECT 1\n WHERE {two};\n" +
                                  std::string(uses_count));
    EXPECT_EQ(entries[0].sql, "SELECT 1\n WHERE a\n       AND b");
}

TEST(StatementReader, LeavesTheBracesOfArraysAndOfRegularExpressionsAlone) {
    const auto entries = read_one("-- statement: outbox_one\n-- Finds.\n"
                                  "SELECT '{}', '{1,2}', '{a,b}', '[0-9]{3}', '{\"mapping\"%' = '{';\n" +
                                  std::string(uses_count));
    EXPECT_EQ(entries[0].sql, "SELECT '{}', '{1,2}', '{a,b}', '[0-9]{3}', '{\"mapping\"%' = '{'");
}

TEST(StatementReader, LeavesPlacesOpenAndPutsTheirExamplesInForWhoReadsTheStatement) {
    const auto entries = read_one("-- statement: outbox_one\n-- Counts.\n-- place events: outbox_events\n"
                                  "-- place limit: {bucket_count}\nSELECT FROM {events} LIMIT {limit};\n");
    EXPECT_EQ(entries[0].sql, "SELECT FROM {events} LIMIT {limit}");
    EXPECT_EQ(entries[0].example(), "SELECT FROM outbox_events LIMIT 64");
}

TEST(StatementReader, LeavesOutCommentsBetweenLinesOfAStatement) {
    const auto entries = read_one("-- statement: outbox_one\n-- Finds.\nSELECT 1\n  -- why\n  FROM t;\n" +
                                  std::string(uses_count));
    EXPECT_EQ(entries[0].sql, "SELECT 1\n  FROM t");
}

TEST(StatementReader, RefusesTwoStatementsOfOneName) {
    EXPECT_EQ(
        refusal("-- statement: outbox_one\n-- A.\nSELECT 1;\n\n-- statement: outbox_one\n-- B.\nSELECT 2;\n"),
        "a:5: there are two of the name outbox_one");
    EXPECT_THAT(refusal("-- fragment: one\n-- A.\n1\n\n-- fragment: one\n-- B.\n2\n"), StartsWith("a:5: "));
    EXPECT_THAT(refusal("-- fragment: bucket_count\n-- A.\n1\n"), HasSubstr("two of the name bucket_count"));
}

TEST(StatementReader, RefusesAFileThatIsMalformed) {
    EXPECT_THAT(refusal("SELECT 1;\n"), StartsWith("a:1: a statement without a name"));
    EXPECT_THAT(refusal("-- statement: outbox_one\n-- A.\nSELECT 1\n\n  FROM t;\n"),
                StartsWith("a:1: outbox_one does not end with a semicolon"));
    EXPECT_THAT(refusal("-- statement: outbox_one\nSELECT 1;\n"), HasSubstr("no comment"));
    EXPECT_THAT(refusal("-- statement: outbox one\n-- A.\nSELECT 1;\n"), HasSubstr("is no name"));
    EXPECT_THAT(refusal("-- statement: outbox_one\n-- A.\n-- place x\nSELECT 1;\n"), StartsWith("a:3: "));
    EXPECT_THAT(refusal("-- fragment: one\n-- A.\n1;\n"), HasSubstr("no semicolon"));
    EXPECT_THAT(refusal("-- fragment: one(t\n-- A.\n1\n"), HasSubstr("do not end"));
    EXPECT_THAT(refusal("-- statement: outbox_one\n-- A.\nSELECT 1\n \n;\n"), HasSubstr("blanks alone"));
}

TEST(StatementReader, RefusesFragmentsThatDoNotFit) {
    const auto with = [](const std::string& fragment, const std::string& use) {
        return refusal(fragment + "\n-- statement: outbox_one\n-- A.\nSELECT " + use + ";\n");
    };
    EXPECT_EQ(with("", "{two}"), "a:2: outbox_one: there is no fragment two");
    EXPECT_THAT(with("-- fragment: two(t)\n-- B.\n{t}\n", "{two}"),
                HasSubstr("takes 1 arguments, and is given 0"));
    EXPECT_THAT(with("-- fragment: two\n-- B.\n({two})\n", "{two}"), HasSubstr("two holds itself"));
    EXPECT_THAT(with("-- fragment: two\n-- B.\n2\n", "{bucket_count}"),
                StartsWith("a:1: no statement uses the fragment two"));
}

TEST(StatementReader, ReadsALargeFileAsFastAsManySmallOnes) {
    std::string text = uses_count;
    for (int i = 0; i < 20'000; ++i) {
        text += "\n-- statement: outbox_s" + std::to_string(i) + "\n-- Reads.\nSELECT " + std::to_string(i) +
                ";\n";
    }
    EXPECT_EQ(read_one(text).size(), 20'001U);
}

} // namespace
} // namespace outbox::statements
