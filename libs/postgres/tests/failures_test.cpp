#include <outbox/postgres/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace outbox::postgres {
namespace {

/// The server's own list of states, which comes with it.
std::vector<std::string> states_of_the_server() {
    std::vector<std::string> states;
    for (const auto& version : std::filesystem::directory_iterator("/usr/share/postgresql")) {
        std::ifstream file(version.path() / "errcodes.txt");
        for (std::string line; std::getline(file, line);) {
            const auto state = line.substr(0, line.find(' '));
            if (state.size() == 5 && std::all_of(state.begin(), state.end(), [](unsigned char c) {
                    return std::isdigit(c) != 0 || std::isupper(c) != 0;
                })) {
                states.push_back(state);
            }
        }
    }
    return states;
}

TEST(Failures, EveryStateOfTheServersListHasARow) {
    const auto states = states_of_the_server();
    ASSERT_GT(states.size(), 200U) << "errcodes.txt of the server was not found";
    for (const std::string& state : states) {
        const auto rows = failures();
        const bool found = std::any_of(rows.begin(), rows.end(),
                                       [&](const Failing& row) { return state.starts_with(row.prefix); });
        EXPECT_TRUE(found || state == "00000") << state;
    }
}

TEST(Failures, TheFirstRowThatFitsDecides) {
    EXPECT_EQ(action_for(""), Action::reconnect);
    EXPECT_EQ(action_for("25P03"), Action::reconnect);
    EXPECT_EQ(action_for("25P02"), Action::stop);
    EXPECT_EQ(action_for("57014"), Action::retry);
    EXPECT_EQ(action_for("57P01"), Action::reconnect);
    EXPECT_EQ(action_for("55P03"), Action::retry);
    EXPECT_EQ(action_for("42P01"), Action::stop);
    EXPECT_EQ(action_for("QQ000"), Action::stop);
}

TEST(Failures, StandInTheGuaranteeAsInTheCode) {
    std::ifstream file(OUTBOX_SOURCE_DIR "/docs/guarantee.md");
    std::stringstream text;
    text << file.rdbuf();
    std::string table = "| SQLSTATE | what happened | what is done |\n| --- | --- | --- |\n";
    for (const Failing& row : failures()) {
        table += "| `" + std::string(row.prefix) + "` | " + std::string(row.happened) + " | " +
                 std::string(row.done) + " |\n";
    }
    EXPECT_THAT(text.str(), testing::HasSubstr(table + "\n"))
        << "to the table's end: no row is the page's alone";
}

} // namespace
} // namespace outbox::postgres
