#include <outbox/core/error.hpp>
#include <outbox/migrate/source.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;

std::vector<File> named(const std::vector<std::string>& names) {
    std::vector<File> files;
    files.reserve(names.size());
    for (const std::string& name : names) {
        files.push_back({.name = name, .bytes = "SELECT 1;"});
    }
    return files;
}

std::string refusal(const std::vector<File>& files) {
    const auto migrations = migrations_from(files);
    return migrations ? "it was not refused" : migrations.error().why;
}

std::map<std::string, std::string> by_name(const std::vector<File>& files) {
    std::map<std::string, std::string> map;
    for (const File& file : files) {
        map[file.name] = file.bytes;
    }
    return map;
}

TEST(MigrationFiles, ArePairedAndOrderedByVersionNotByListing) {
    const auto migrations =
        migrations_from(named({"0002_two.up.sql", "0001_one.down.sql", "0010_ten.up.sql", "0003_a_b.up.sql",
                               "0001_one.up.sql", "0004_d.up.sql", "0005_e.up.sql", "0006_f.up.sql",
                               "0007_g.up.sql", "0008_h.up.sql", "0009_i.up.sql"}));
    ASSERT_TRUE(migrations) << migrations.error().why;
    ASSERT_EQ(migrations->size(), 10U);
    EXPECT_EQ(migrations->at(2).name, "a_b");
    EXPECT_EQ(migrations->at(9).version, 10);
    EXPECT_TRUE(migrations->at(0).down.has_value());
    EXPECT_FALSE(migrations->at(1).down.has_value());
}

TEST(MigrationFiles, MayLeaveNumbersOut) {
    const auto migrations = migrations_from(named({"0005_c.up.sql", "0002_a.up.sql"}));
    ASSERT_TRUE(migrations) << migrations.error().why;
    ASSERT_EQ(migrations->size(), 2U);
    EXPECT_EQ(migrations->at(0).version, 2);
    EXPECT_EQ(migrations->at(1).version, 5);
}

TEST(MigrationFiles, WithOneVersionTwiceAreRefused) {
    EXPECT_THAT(refusal(named({"0001_a.up.sql", "0001_b.up.sql"})), HasSubstr("version 1 is there twice"));
}

TEST(MigrationFiles, WithADownButNoUpAreRefused) {
    EXPECT_THAT(refusal(named({"0001_a.down.sql"})), HasSubstr("0001_a.down.sql has no 0001_a.up.sql"));
}

TEST(MigrationFiles, ThatDoNotExistAreRefused) {
    EXPECT_THAT(refusal({}), HasSubstr("there is no migration"));
}

TEST(MigrationFiles, WithOtherNamesAreRefusedByName) {
    for (const char* name : {"1_a.up.sql", "0001_.up.sql", "0001a.up.sql", "0001_a.sql", "-001_a.up.sql",
                             "0000_a.up.sql", ".up.sql", "00001_a.up.sql", "+001_a.up.sql"}) {
        EXPECT_THAT(refusal(named({name})), HasSubstr(std::string(name) + " is not named like")) << name;
    }
}

TEST(MigrationFiles, WithAZeroByteAreRefused) {
    EXPECT_THAT(refusal({{.name = "0001_a.up.sql", .bytes = std::string("SELECT\0 1", 9)}}),
                HasSubstr("zero byte"));
}

TEST(MigrationFiles, EmbeddedOnesAreTheFolderByteForByte) {
    EXPECT_EQ(by_name(embedded_files()), by_name(files_in(OUTBOX_SOURCE_DIR "/migrations")));
    EXPECT_TRUE(migrations_from(embedded_files()));
}

TEST(MigrationFiles, EveryEmbeddedStepCanBeTakenBack) {
    const auto migrations = migrations_from(embedded_files());
    for (const Migration& migration : migrations.value()) {
        EXPECT_TRUE(migration.down.has_value()) << migration.name;
    }
}

TEST(MigrationFiles, OfAFolderKeepTheirBytesAndOnlySqlCounts) {
    const auto folder = std::filesystem::path(testing::TempDir()) / "outbox_source_test";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "0001_a.up.sql", std::ios::binary) << "SELECT 1;\r\n\xff";
    std::ofstream(folder / "README.md") << "not SQL";
    const auto files = by_name(files_in(folder));
    std::filesystem::remove_all(folder);
    EXPECT_EQ(files, (std::map<std::string, std::string>{{"0001_a.up.sql", "SELECT 1;\r\n\xff"}}));
}

TEST(MigrationFiles, OfAFolderThatIsNotThereAreBadUsage) {
    EXPECT_THROW(files_in("/nonexistent/folder"), UsageError);
}

} // namespace
} // namespace outbox::migrations
