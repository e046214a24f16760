#include "database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace outbox::check {
namespace {

using testing::HasSubstr;

ServerFacts fine() {
    ServerFacts facts;
    facts.version = "15.1";
    facts.version_number = 150'001;
    facts.role = "relay";
    facts.database = "shop";
    facts.settings = {{"fsync", "on"}, {"full_page_writes", "on"}, {"synchronous_commit", "on"}};
    return facts;
}

Line line(const std::vector<Line>& lines, const std::string& name) {
    const auto found = std::ranges::find(lines, name, &Line::name);
    return found == lines.end() ? Line{name, Status::skip, "nothing"} : *found;
}

Status status(const ServerFacts& facts, const std::string& name, Needs needs = Needs::relay) {
    return line(judge_server(facts, needs), name).status;
}

TEST(CheckedServer, IsFineWhereNothingIsOdd) {
    for (const Line& each : judge_server(fine(), Needs::relay)) {
        EXPECT_EQ(each.status, Status::ok) << each.name;
        EXPECT_EQ(each.todo, "") << each.name;
    }
}

TEST(CheckedServer, MustBeAPrimaryOfFourteenOrLater) {
    auto facts = fine();
    facts.version_number = 130'000;
    facts.standby = true;
    EXPECT_EQ(status(facts, "postgres version"), Status::fail);
    EXPECT_EQ(status(facts, "postgres primary"), Status::fail);
}

TEST(CheckedServer, MayBeBehindAPoolerForTheServerAlone) {
    auto facts = fine();
    facts.pooled = true;
    EXPECT_EQ(status(facts, "postgres pooler"), Status::fail);
    EXPECT_EQ(status(facts, "postgres pooler", Needs::backfill), Status::fail);
    EXPECT_EQ(status(facts, "postgres pooler", Needs::server), Status::ok);
}

TEST(CheckedServer, IsWarnedAboutWhatItLosesInACrash) {
    for (const char* name : {"fsync", "full_page_writes", "synchronous_commit"}) {
        auto facts = fine();
        facts.settings[name] = "off";
        const Line found = line(judge_server(facts, Needs::relay), std::string("postgres ") + name);
        EXPECT_EQ(found.status, Status::warn) << name;
        EXPECT_THAT(found.todo, HasSubstr(std::string("ALTER SYSTEM SET ") + name + " = on"));
    }
}

TEST(CheckedServer, IsResetWhereTheRoleIsToBlame) {
    auto facts = fine();
    facts.settings["synchronous_commit"] = "off";
    facts.own_settings = {{"synchronous_commit", "off", "ROLE relay"},
                          {"statement_timeout", "1s", "DATABASE shop"}};
    const auto lines = judge_server(facts, Needs::relay);
    EXPECT_EQ(line(lines, "postgres synchronous_commit").todo, "ALTER ROLE relay RESET synchronous_commit;");
    EXPECT_EQ(line(lines, "role settings").todo, "ALTER DATABASE shop RESET statement_timeout;");
}

TEST(CheckedServer, HasRoomForTheSessionsOfARelay) {
    auto facts = fine();
    facts.connection_limit = 10;
    facts.sessions = 9;
    EXPECT_EQ(status(facts, "role connections"), Status::warn);
}

TEST(CheckedClock, IsJudgedByWhatIsCertainOfIt) {
    auto facts = fine();
    facts.clock_ahead_ms = 5'000;
    EXPECT_EQ(status(facts, "clock"), Status::warn);
    facts.clock_doubt_ms = 4'000;
    EXPECT_EQ(status(facts, "clock"), Status::ok);
    facts.clock_ahead_ms = -7'200'000;
    EXPECT_EQ(status(facts, "clock"), Status::fail);
}

TEST(CheckedLogin, TellsTlsFromAPassword) {
    EXPECT_EQ(line(judge_login("SSL error: certificate verify failed"), "database tls").status, Status::fail);
    EXPECT_EQ(line(judge_login("SSL error: certificate verify failed"), "database login").status,
              Status::skip);
    EXPECT_EQ(line(judge_login("password authentication failed for user"), "database login").status,
              Status::fail);
    EXPECT_EQ(line(judge_login("no database; outbox-migrate up creates it, or"), "database login").todo,
              "outbox-migrate up");
}

TEST(CheckedMigrations, SayWhatToType) {
    const Line found = judge_migrations("the outbox in schema a is older: type outbox-migrate up", 32);
    EXPECT_EQ(found.message, "the outbox in schema a is older");
    EXPECT_EQ(found.todo, "outbox-migrate up");
    EXPECT_EQ(judge_migrations("", 32).status, Status::ok);
}

TEST(CheckedGrants, AreGivenByOneStatementForEachRelation) {
    const std::vector<Grant> missing{{"outbox_events", "status", "UPDATE"},
                                     {"outbox_events", "retry_count", "UPDATE"},
                                     {"outbox_meta", "", "SELECT"},
                                     {"public.outbox_events_seq_seq", "", "UPDATE"}};
    EXPECT_EQ(
        judge_grants(missing, "relay").todo,
        "GRANT UPDATE (status, retry_count) ON outbox_events TO relay; GRANT SELECT ON outbox_meta TO relay; "
        "GRANT UPDATE ON SEQUENCE public.outbox_events_seq_seq TO relay;");
    EXPECT_EQ(judge_grants({}, "relay").status, Status::ok);
}

TEST(CheckedSurvey, HasALineForEachMatter) {
    survey::Facts facts;
    facts.encoding = "LATIN1";
    facts.mute_roles = {"loader"};
    const auto lines = judge_survey(facts);
    EXPECT_EQ(line(lines, "encoding").status, Status::warn);
    EXPECT_EQ(line(lines, "triggers").status, Status::warn);
    EXPECT_EQ(line(lines, "numbering").status, Status::ok);
    EXPECT_EQ(line(lines, "row security").status, Status::ok);
}

TEST(CheckedIdentity, GoesByTheNameThatIsGiven) {
    EXPECT_EQ(judge_identity(std::nullopt, "shop").status, Status::fail);
    EXPECT_EQ(judge_identity(IdentityFacts{{}, "other"}, "shop").todo, "OUTBOX_NAME=other");
    EXPECT_EQ(judge_identity(IdentityFacts{{}, "shop"}, "shop").status, Status::ok);
    EXPECT_EQ(judge_identity(IdentityFacts{}, "shop").status, Status::ok);
}

} // namespace
} // namespace outbox::check
