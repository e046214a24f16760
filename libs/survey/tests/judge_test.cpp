#include <outbox/survey/survey.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace outbox::survey {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// A table that stood there, made as README's schema is.
Facts adoptable() {
    Facts facts{.role = "owner",
                .database = "shop",
                .encoding = "UTF8",
                .events = Table{.name = "public.outbox_events"},
                .mute_roles = {}};
    const auto add = [&](const char* name, const char* type, int length = 0) {
        facts.columns.push_back({.name = name, .type = type, .length = length});
    };
    add("id", "uuid");
    add("aggregate_type", "character varying", 255);
    add("aggregate_id", "character varying", 255);
    add("event_type", "character varying", 255);
    add("event_data", "jsonb");
    add("status", "character varying", 50);
    add("topic", "character varying", 255);
    add("partition_key", "character varying", 255);
    add("created_at", "timestamp with time zone");
    add("processed_at", "timestamp with time zone");
    add("retry_count", "integer");
    add("max_retries", "integer");
    add("error_message", "text");
    return facts;
}

/// The same after `up`.
Facts ours() {
    Facts facts = adoptable();
    facts.ours = true;
    facts.numbering = Numbering{.sequence = "public.outbox_events_seq_seq", .most = INT64_MAX, .last = 7};
    for (const auto& [name, type] :
         std::vector<std::pair<const char*, const char*>>{{"seq", "bigint"},
                                                          {"bucket", "smallint"},
                                                          {"unsent", "boolean"},
                                                          {"failed", "boolean"},
                                                          {"headers", "jsonb"},
                                                          {"next_attempt_at", "timestamp with time zone"},
                                                          {"kafka_partition", "integer"},
                                                          {"kafka_offset", "bigint"},
                                                          {"tombstone", "boolean"},
                                                          {"payload", "bytea"},
                                                          {"content_type", "character varying"}}) {
        facts.columns.push_back({.name = name, .type = type});
    }
    return facts;
}

Column& column(Facts& facts, const std::string& name) {
    return *std::find_if(facts.columns.begin(), facts.columns.end(),
                         [&](const Column& each) { return each.name == name; });
}

std::string only(const Facts& facts, Severity severity = Severity::refuse) {
    const auto findings = judge(facts);
    EXPECT_EQ(findings.size(), 1U);
    if (findings.empty()) {
        return {};
    }
    EXPECT_EQ(findings.front().severity, severity);
    return line_of(findings.front());
}

TEST(SurveyJudge, SaysNothingOfADatabaseAsItShouldBe) {
    EXPECT_THAT(judge(adoptable()), IsEmpty());
    EXPECT_THAT(judge(ours()), IsEmpty());
    EXPECT_THAT(judge({.role = "owner", .database = "shop", .encoding = "UTF8", .mute_roles = {}}),
                IsEmpty());
}

TEST(SurveyJudge, AColumnOfTheUsersOwnMayNotHaveANameThatTheOutboxIsAboutToUse) {
    for (const char* name : {"headers", "payload", "content_type", "tombstone", "seq"}) {
        Facts facts = adoptable();
        facts.columns.push_back({.name = name, .type = "text"});
        EXPECT_THAT(only(facts), HasSubstr(std::string("RENAME COLUMN ") + name + " TO old_")) << name;
    }
}

TEST(SurveyJudge, ANameThatALaterVersionUsesIsRefusedBeforeTheUpgrade) {
    Facts facts = ours();
    facts.holds_bytes = false;
    std::erase_if(facts.columns, [](const Column& each) {
        return each.name == "tombstone" || each.name == "payload" || each.name == "content_type";
    });
    EXPECT_THAT(judge(facts), IsEmpty());
    facts.columns.push_back({.name = "payload", .type = "bytea"});
    EXPECT_THAT(only(facts), HasSubstr("RENAME COLUMN payload TO old_payload;"));
}

TEST(SurveyJudge, AColumnOfOursOfAnotherTypeIsRefused) {
    Facts facts = ours();
    column(facts, "payload").type = "text";
    EXPECT_THAT(only(facts),
                HasSubstr("column payload of public.outbox_events: is text, and it must be bytea"));
}

struct Wrong {
    const char* column;
    const char* type;
    bool is_enum;
    const char* mend;
    bool convertible;
};

class SurveyTypes : public testing::TestWithParam<Wrong> {};

TEST_P(SurveyTypes, AreRefusedByNameWithTheStatementThatMendsThem) {
    Facts facts = adoptable();
    column(facts, GetParam().column).type = GetParam().type;
    column(facts, GetParam().column).length = 0;
    column(facts, GetParam().column).is_enum = GetParam().is_enum;
    const auto findings = judge(facts);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].severity, Severity::refuse);
    EXPECT_EQ(findings[0].object, std::string("column ") + GetParam().column + " of public.outbox_events");
    EXPECT_THAT(findings[0].mend, HasSubstr(GetParam().mend));
    EXPECT_EQ(findings[0].convertible, GetParam().convertible);
}

INSTANTIATE_TEST_SUITE_P(
    Columns, SurveyTypes,
    testing::Values(
        Wrong{"id", "character varying", false, "ALTER COLUMN id TYPE uuid USING id::text::uuid;", true},
        Wrong{"id", "bigint", false, "ADD COLUMN id uuid", false},
        Wrong{"event_data", "text", false,
              "ALTER COLUMN event_data TYPE jsonb USING event_data::text::jsonb;", true},
        Wrong{"event_data", "bytea", false, "TYPE jsonb", false},
        Wrong{"created_at", "timestamp without time zone", false, "created_at AT TIME ZONE 'UTC'", false},
        Wrong{"created_at", "date", false, "TYPE timestamptz", false},
        Wrong{"status", "outbox_status", true, "ALTER COLUMN status TYPE varchar(50) USING status::text;",
              true},
        Wrong{"aggregate_id", "bigint", false,
              "ALTER COLUMN aggregate_id TYPE text USING aggregate_id::text;", true},
        Wrong{"aggregate_id", "character", false, "TYPE text", true},
        Wrong{"partition_key", "citext", false, "TYPE text", true},
        Wrong{"topic", "text[]", false, "TYPE text", false},
        Wrong{"retry_count", "text", false, "TYPE integer", false}));

TEST(SurveyJudge, NamesWhatRelaysCouldNotWrite) {
    Facts facts = adoptable();
    column(facts, "status").length = 5;
    EXPECT_THAT(only(facts), HasSubstr("character varying(5), too short"));
    facts = adoptable();
    column(facts, "error_message").type = "character varying";
    column(facts, "error_message").length = 200;
    EXPECT_THAT(only(facts), HasSubstr("ALTER COLUMN error_message TYPE text;"));
    facts = adoptable();
    column(facts, "processed_at").not_null = true;
    EXPECT_THAT(only(facts), HasSubstr("ALTER COLUMN processed_at DROP NOT NULL;"));
    facts = adoptable();
    column(facts, "status").generated = 's';
    EXPECT_THAT(only(facts), HasSubstr("DROP EXPRESSION"));
    facts = adoptable();
    column(facts, "topic").generated = 'v';
    EXPECT_THAT(only(facts), HasSubstr("virtual generated"));
    facts = adoptable();
    facts.checks.push_back({"states", "PROCESSING, SKIPPED"});
    EXPECT_THAT(only(facts),
                HasSubstr("constraint states of public.outbox_events: does not let status be PROCESSING"));
}

TEST(SurveyJudge, NamesMissingAndForeignColumns) {
    Facts facts = adoptable();
    std::erase_if(facts.columns, [](const Column& each) { return each.name == "partition_key"; });
    EXPECT_THAT(only(facts), HasSubstr("ADD COLUMN partition_key varchar(255);"));
    facts = adoptable();
    facts.columns.push_back({.name = "seq", .type = "bigint"});
    EXPECT_THAT(only(facts), HasSubstr("RENAME COLUMN seq TO old_seq;"));
    facts = adoptable();
    facts.columns.push_back({.name = "tenant", .type = "integer", .not_null = true});
    EXPECT_THAT(only(facts, Severity::warn), HasSubstr("tenant"));
    facts = adoptable();
    column(facts, "aggregate_type").name = "aggregatetype";
    column(facts, "aggregate_id").name = "aggregateid";
    EXPECT_THAT(only(facts), HasSubstr("Debezium's outbox"));
}

TEST(SurveyJudge, RefusesWhatIsNoOrdinaryTable) {
    for (const char kind : {'p', 'v', 'm', 'f'}) {
        Facts facts = adoptable();
        facts.events->kind = kind;
        EXPECT_THAT(only(facts), HasSubstr("DB_SCHEMA"));
    }
    Facts facts = adoptable();
    facts.events->inherits = true;
    EXPECT_THAT(only(facts), HasSubstr("inherits"));
    facts = adoptable();
    facts.rules = {"quiet"};
    EXPECT_THAT(only(facts), HasSubstr("DROP RULE quiet ON public.outbox_events;"));
    facts = adoptable();
    facts.id_is_unique = false;
    EXPECT_THAT(only(facts), HasSubstr("ADD PRIMARY KEY (id);"));
}

TEST(SurveyJudge, RefusesATypedTableThatColumnsAreToBeAddedTo) {
    Facts facts = adoptable();
    facts.events->is_typed = true;
    EXPECT_THAT(only(facts), HasSubstr("ALTER TABLE public.outbox_events NOT OF;"));
    facts = ours();
    facts.events->is_typed = true;
    EXPECT_THAT(only(facts, Severity::warn), HasSubstr("NOT OF;"));
}

TEST(SurveyJudge, NamesTriggersOfOursThatDoNotFire) {
    Facts facts = ours();
    facts.silent_triggers = {{"outbox_doorbell", false, "public.outbox_events"}};
    EXPECT_EQ(
        only(facts, Severity::warn),
        "trigger outbox_doorbell on public.outbox_events: is gone: nobody wakes a relay that sleeps, and it "
        "finds new events when it looks by itself; type: outbox-migrate up");
    facts.silent_triggers = {{"outbox_refuse_old_relay", false, "public.outbox_relays"}};
    EXPECT_THAT(
        only(facts, Severity::warn),
        HasSubstr(
            "trigger outbox_refuse_old_relay on public.outbox_relays: is gone: a relay of version 0.1"));
    facts.silent_triggers = {{"outbox_refuse_change", true, "public.outbox_events"}};
    EXPECT_THAT(only(facts, Severity::warn),
                HasSubstr("ALTER TABLE public.outbox_events ENABLE TRIGGER outbox_refuse_change;"));
    facts.silent_triggers.clear();
    facts.doorbell_lacks = "GRANT SELECT ON public.outbox_meta TO owner;";
    EXPECT_THAT(only(facts, Severity::warn), HasSubstr("is mute"));
}

TEST(SurveyJudge, NamesAnEventWhoseNumberIsAtTheEnd) {
    Facts facts = ours();
    facts.numbering->at_the_end = LastNumber{.id = "x", .seq = INT64_MAX};
    EXPECT_THAT(
        only(facts, Severity::error),
        HasSubstr("DELETE FROM public.outbox_events WHERE id = 'x'; and INSERT it again without seq"));
}

TEST(SurveyJudge, RefusesRowsThatAreHiddenAndTellsOfThoseThatMayBe) {
    Facts facts = ours();
    facts.tables.push_back({.name = "public.outbox_shards", .row_security = true, .hides_rows = true});
    EXPECT_THAT(only(facts), HasSubstr("ALTER ROLE owner BYPASSRLS;"));
    facts = ours();
    facts.events->row_security = true;
    EXPECT_THAT(only(facts, Severity::warn), HasSubstr("hides nothing from role owner"));
}

TEST(SurveyJudge, RefusesNumbersThatDoNotGrowInTheOrderOfInserts) {
    Facts facts = ours();
    facts.numbering->cache = 32;
    EXPECT_THAT(only(facts), HasSubstr("ALTER SEQUENCE public.outbox_events_seq_seq CACHE 1;"));
    facts = ours();
    facts.numbering->step = -1;
    EXPECT_THAT(only(facts), HasSubstr("INCREMENT BY 1;"));
    facts = ours();
    facts.numbering->cycles = true;
    EXPECT_THAT(only(facts), HasSubstr("NO CYCLE;"));
    facts = ours();
    facts.numbering.reset();
    EXPECT_THAT(only(facts), HasSubstr("ADD GENERATED ALWAYS AS IDENTITY"));
    facts = ours();
    facts.numbering->most = 2'000'000'000;
    facts.numbering->last = 1'500'000'000;
    EXPECT_THAT(only(facts, Severity::error), HasSubstr("NO MAXVALUE;"));
    facts.numbering->last = 2'000'000'000;
    EXPECT_THAT(only(facts, Severity::error), HasSubstr("which is given: every insert fails"));
    facts = ours();
    facts.numbering->newest_above = 12;
    EXPECT_THAT(only(facts, Severity::error), HasSubstr("stands at 7, below event 12"));
    facts = ours();
    facts.numbering->always = false;
    EXPECT_THAT(only(facts, Severity::warn), HasSubstr("SET GENERATED ALWAYS;"));
}

TEST(SurveyJudge, PutsTheWorstFirst) {
    Facts facts = ours();
    facts.encoding = "SQL_ASCII";
    facts.mute_roles = {"ALL", "copier"};
    facts.numbering->cycles = true;
    const auto findings = judge(facts);
    ASSERT_EQ(findings.size(), 4U);
    EXPECT_EQ(findings[0].severity, Severity::refuse);
    EXPECT_EQ(findings[1].severity, Severity::error);
    EXPECT_THAT(line_of(findings[1]), HasSubstr("ALTER DATABASE shop RESET session_replication_role;"));
    EXPECT_EQ(findings[2].severity, Severity::warn);
    EXPECT_TRUE(refuses(findings));
    EXPECT_FALSE(refuses({findings.begin() + 1, findings.end()}));
}

TEST(SurveyJudge, RefusesADefaultOfStatusThatRelaysDoNotTakeUp) {
    Facts facts = ours();
    facts.status_default = "'NEW'::character varying";
    EXPECT_THAT(judge(facts), IsEmpty());
    facts.status_default = "'SENT'::character varying";
    const auto findings = judge(facts);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].severity, Severity::refuse);
    EXPECT_EQ(findings[0].mend, "ALTER TABLE public.outbox_events ALTER COLUMN status SET DEFAULT 'NEW';");
}

TEST(SurveyJudge, RefusesAnOutboxThatNobodyKnowsTheIdentityOf) {
    Facts facts = ours();
    facts.has_identity = false;
    const auto findings = judge(facts);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(line_of(findings[0]).rfind("outbox_meta: is empty", 0), 0U) << line_of(findings[0]);
    EXPECT_TRUE(refuses(findings));
}

TEST(SurveyJudge, NamesConstraintsAboutWhatRelaysWrite) {
    Facts facts = ours();
    facts.narrow_checks = {"narrow"};
    const auto findings = judge(facts);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].severity, Severity::warn);
    EXPECT_EQ(findings[0].object, "constraint narrow of public.outbox_events");
}

} // namespace
} // namespace outbox::survey
