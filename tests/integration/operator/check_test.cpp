// outbox-relay check, on real servers that are broken one by one.
#include "fixture.hpp"

#include <outbox/support/pgbouncer.hpp>
#include <outbox/support/ports.hpp>
#include <outbox/support/role.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace outbox::relays {
namespace {

using Json = nlohmann::json;
using testing::Not;

class Check : public Operator {
protected:
    /// The document of `check --json`; its exit code fits to it.
    [[nodiscard]] Json report(const Variables& changes = {}) const {
        const auto outcome = verb({"check", "--json"}, changes);
        Json document = Json::parse(outcome.output, nullptr, false);
        EXPECT_TRUE(document.is_object()) << outcome.output << outcome.errors;
        EXPECT_EQ(outcome.exit_code, document.value("ok", false) ? 0 : 1);
        EXPECT_THAT(outcome.errors, IsEmpty());
        return document;
    }
    /// The first line of this name that is not OK, else the last of that name; an empty one where there is
    /// none.
    static Json line(const Json& document, const std::string& name) {
        Json found = Json::object();
        for (const Json& check : document["checks"]) {
            if (check["name"] == name) {
                found = check;
                if (check["status"] != "OK") {
                    break;
                }
            }
        }
        return found;
    }
    /// What this line says, as "FAIL message; type: what".
    static std::string said(const Json& document, const std::string& name) {
        const Json found = line(document, name);
        return found.empty() ? "nothing about " + name + " in " + document.dump()
                             : fmt::format("{} {}; type: {}", found["status"].get<std::string>(),
                                           found["message"].get<std::string>(),
                                           found["todo"].is_null() ? "" : found["todo"].get<std::string>());
    }
    [[nodiscard]] std::string said(const std::string& name, const Variables& changes = {}) const {
        return said(report(changes), name);
    }
    /// A relay has been there, and its control topic stands.
    void serve_once() const {
        Process relay = ready_relay();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    [[nodiscard]] std::string of_topic(const std::string& what = "") const {
        return "topic " + topic + (what.empty() ? "" : " " + what);
    }
};

TEST_F(Check, FindsNothingToFailWhereARelayDelivers) {
    const Process relay = ready_relay();
    insert({.key = "a"});
    const Json document = report();
    EXPECT_TRUE(document["ok"]) << document.dump(2);
    EXPECT_THAT(said(document, "grants"), HasSubstr("OK"));
    EXPECT_THAT(said(document, "kafka transactional id"), HasSubstr("OK"));
    EXPECT_THAT(said(document, "control topic"), HasSubstr("OK"));
    EXPECT_THAT(said(document, "outbox name"), HasSubstr("this outbox's"));
}

TEST_F(Check, ChangesNothingBeforeTheFirstRelay) {
    insert({.key = "a"});
    const Json document = report();
    EXPECT_TRUE(document["ok"]) << document.dump(2);
    EXPECT_THAT(said(document, of_topic()), HasSubstr("is made when it is needed; 1 unsent events"));
    EXPECT_EQ(support::shape_of(topic).partitions, 0);
    EXPECT_EQ(support::shape_of("outbox." + database.name() + ".control").partitions, 0);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_shards"), 0);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_meta WHERE name IS NULL"), 1);
}

TEST_F(Check, NamesAServerThatHangsWithinSeconds) {
    const support::SilentServer silent;
    const auto begin = SteadyClock::now();
    const Json document = report({{"DB_HOST", "127.0.0.1"},
                                  {"DB_PORT", silent.port()},
                                  {"KAFKA_BROKERS", "127.0.0.1:" + silent.port()}});
    EXPECT_LT(SteadyClock::now() - begin, 25s * slowness);
    EXPECT_THAT(said(document, "database login"), HasSubstr("FAIL"));
    EXPECT_THAT(said(document, "database login"), HasSubstr("127.0.0.1:" + silent.port()));
    EXPECT_THAT(said(document, "database"), HasSubstr("SKIP"));
    EXPECT_THAT(said(document, "kafka version"), HasSubstr("FAIL"));
    EXPECT_THAT(said(document, "kafka version"), HasSubstr("127.0.0.1:" + silent.port()));
    EXPECT_THAT(said(document, "kafka"), HasSubstr("SKIP"));
}

TEST_F(Check, TellsANameThatLeadsNowhereFromAPortWithoutAnybody) {
    const Json document =
        report({{"DB_HOST", "nowhere.invalid"}, {"KAFKA_BROKERS", "127.0.0.1:" + support::free_port()}});
    EXPECT_THAT(said(document, "database dns"), HasSubstr("FAIL nowhere.invalid"));
    EXPECT_THAT(said(document, "database login"), HasSubstr("SKIP"));
    EXPECT_THAT(said(document, "kafka tcp"), HasSubstr("Connection refused"));
}

TEST_F(Check, NamesTheRoleThatMayNotLogInAndNoSecret) {
    const auto outcome = verb({"check"}, {{"DB_USER", "nobody_here"}, {"DB_PASSWORD", "s3cret-word"}});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.output, HasSubstr("FAIL  database login: "));
    EXPECT_THAT(outcome.output, HasSubstr("nobody_here"));
    EXPECT_THAT(outcome.output + outcome.errors, Not(HasSubstr("s3cret-word")));
}

TEST_F(Check, RefusesAPoolerAndAnotherVersionOfTheTables) {
    const support::PgBouncer pooler;
    EXPECT_THAT(said("postgres pooler", pooler.variables()), HasSubstr("FAIL a connection pooler"));
    database.query(
        "DELETE FROM outbox_migrations WHERE version = (SELECT max(version) FROM outbox_migrations)");
    EXPECT_THAT(said("migrations"),
                testing::AllOf(HasSubstr("FAIL"), HasSubstr("; type: outbox-migrate up")));
}

TEST_F(Check, WarnsOfWhatTheRoleBringsAlong) {
    const std::string whom = fmt::format("ROLE postgres IN DATABASE {}", database.name());
    for (const std::string setting :
         {"statement_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout"}) {
        database.query(fmt::format("ALTER {} SET {} = '7s'", whom, setting));
        EXPECT_THAT(said("role settings"), HasSubstr(fmt::format("{} = 7s", setting)));
        EXPECT_THAT(said("role settings"), HasSubstr(fmt::format("type: ALTER {} RESET {};", whom, setting)));
        database.query(fmt::format("ALTER {} RESET {}", whom, setting));
    }
    database.query(fmt::format("ALTER {} SET search_path = elsewhere", whom));
    EXPECT_THAT(said("role settings"), HasSubstr("WARN"));
    database.query(fmt::format("ALTER {} RESET ALL", whom));
    EXPECT_THAT(said("role settings"), HasSubstr("OK"));
    database.query(fmt::format("ALTER {} SET synchronous_commit = off", whom));
    EXPECT_THAT(said("postgres synchronous_commit"), HasSubstr("WARN"));
}

TEST_F(Check, SeesDisabledTriggersACachingSequenceAndRowSecurity) {
    database.query("ALTER TABLE outbox_events DISABLE TRIGGER outbox_doorbell");
    EXPECT_THAT(said("triggers"), HasSubstr("ENABLE TRIGGER outbox_doorbell"));
    database.query("ALTER SEQUENCE outbox_events_seq_seq CACHE 20");
    EXPECT_THAT(said("numbering"), testing::AllOf(HasSubstr("FAIL"), HasSubstr("CACHE 1;")));
    database.query("ALTER TABLE outbox_events ENABLE ROW LEVEL SECURITY");
    EXPECT_THAT(said("row security"), HasSubstr("WARN"));
}

/// Roles of the test's own, with what deploy/postgres/roles.sql grants.
class CheckRoles : public testing::Test {
protected:
    CheckRoles() { support::grant_least(database, app, relay); }

    [[nodiscard]] support::Outcome check() const {
        auto variables = database.environment();
        variables["OUTBOX_NAME"] = database.name();
        for (const auto& [name, value] : relay.variables()) {
            variables[name] = value;
        }
        return support::run({{support::program("outbox-relay"), "check"}, variables}, 60s);
    }

    support::Role app;
    support::Role relay;
    support::TestDatabase database;
};

TEST_F(CheckRoles, AreToldEachGrantThatIsMissingAndWhatToType) {
    EXPECT_THAT(check().output, HasSubstr("OK    grants: "));
    database.query("REVOKE UPDATE (kafka_offset) ON outbox_events FROM " + relay.name());
    database.query("REVOKE DELETE, INSERT ON outbox_slots FROM " + relay.name());
    const auto outcome = check();
    EXPECT_EQ(outcome.exit_code, 1);
    const std::string begin = "FAIL  grants: ";
    const auto at = outcome.output.find(begin);
    ASSERT_NE(at, std::string::npos) << outcome.output;
    const auto text = outcome.output.substr(at, outcome.output.find('\n', at) - at);
    EXPECT_THAT(text, HasSubstr("UPDATE (kafka_offset) on outbox_events"));
    EXPECT_THAT(text, HasSubstr("DELETE on outbox_slots"));
    database.query(text.substr(text.find("; type: ") + 8));
    EXPECT_THAT(check().output, HasSubstr("OK    grants: "));
}

TEST_F(Check, SeesAnotherClusterAndAnotherName) {
    serve_once();
    EXPECT_THAT(said("identity", {{"OUTBOX_NAME", "other"}}), HasSubstr("FAIL"));
    database.query("UPDATE outbox_meta SET cluster_id = 'elsewhere'");
    EXPECT_THAT(said("kafka cluster id"),
                testing::AllOf(HasSubstr("FAIL"), HasSubstr("elsewhere"), HasSubstr("adopt")));
}

TEST_F(Check, SeesAControlTopicThatForgetsAndOneThatIsGone) {
    const std::string control = "outbox." + database.name() + ".control";
    {
        Process relay = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    alter_topic(control, {{"cleanup.policy", "delete"}});
    EXPECT_THAT(said("control topic"),
                testing::AllOf(HasSubstr("FAIL"), HasSubstr("cleanup.policy=compact")));
    delete_topic(control);
    ASSERT_TRUE(wait_until([&] { return support::shape_of(control).partitions == 0; }, 30s));
    EXPECT_THAT(said("control topic"),
                testing::AllOf(HasSubstr("FAIL"), HasSubstr("outbox-relay reconcile")));
}

TEST_F(Check, SeesATopicThatIsMissingAndMayNotBeMade) {
    insert({.key = "a"});
    EXPECT_THAT(said(of_topic(), {{"KAFKA_CREATE_TOPICS", "off"}}),
                testing::AllOf(HasSubstr("FAIL"), HasSubstr("kafka-topics.sh"),
                               HasSubstr("--create --topic " + topic)));
    EXPECT_THAT(said(of_topic(), {{"KAFKA_REPLICATION_FACTOR", "5"}}),
                testing::AllOf(HasSubstr("FAIL"), HasSubstr("cannot be created")));
}

TEST_F(Check, SeesWhatATopicDoesToItsEvents) {
    create_topic(topic, 2);
    insert({.key = "a"});
    database.query("UPDATE outbox_events SET created_at = now() - interval '30 days'");
    alter_topic(
        topic, {{"retention.ms", "604800000"}, {"cleanup.policy", "compact"}, {"max.message.bytes", "2000"}});
    Json document = report();
    EXPECT_TRUE(document["ok"]) << document.dump(2);
    EXPECT_THAT(said(document, of_topic()), HasSubstr("OK 2 partitions"));
    EXPECT_THAT(said(document, of_topic("replicas")), HasSubstr("WARN 1 replica"));
    EXPECT_THAT(said(document, of_topic("keeping")), HasSubstr("WARN cleanup.policy=compact"));
    EXPECT_THAT(said(document, of_topic("size")), HasSubstr("WARN max.message.bytes=2000"));
    alter_topic(topic, {{"retention.ms", "604800000"}, {"message.timestamp.before.max.ms", "3600000"}});
    document = report();
    EXPECT_THAT(said(document, of_topic("retention")), HasSubstr("the oldest unsent event is 30 days old"));
    EXPECT_THAT(said(document, of_topic("timestamps")), HasSubstr("WARN message.timestamp.before.max.ms"));
    alter_topic(topic, {{"message.timestamp.type", "LogAppendTime"}, {"min.insync.replicas", "2"}});
    document = report();
    EXPECT_THAT(said(document, of_topic("timestamps")),
                HasSubstr("WARN message.timestamp.type=LogAppendTime"));
    EXPECT_THAT(said(document, of_topic("replicas")), HasSubstr("FAIL"));
}

TEST_F(Check, SeesATopicThatMayNotBeWrittenTo) {
    create_topic(topic, 1);
    insert({.key = "a"});
    allow_reading_only(topic);
    EXPECT_THAT(said(of_topic()),
                testing::AllOf(HasSubstr("FAIL"), HasSubstr("kafka-acls.sh"), HasSubstr(topic)));
    allow_all(topic);
    EXPECT_THAT(said(of_topic()), HasSubstr("OK"));
}

TEST_F(Check, IsRefusedWithABadSetting) {
    EXPECT_EQ(verb({"check"}, {{"DB_PORT", "x"}}).exit_code, 2);
    EXPECT_EQ(verb({"check", "--force"}).exit_code, 2);
}

} // namespace
} // namespace outbox::relays
