#include "fixture.hpp"

#include <outbox/kafka/admin.hpp>
#include <outbox/support/environment.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relays {

support::Outcome Operator::verb(const Words& words, const Variables& changes) const {
    support::Command command{{support::program("outbox-relay")}, environment(changes)};
    command.words.insert(command.words.end(), words.begin(), words.end());
    return support::run(command, 120s);
}

std::string Operator::done(const Words& words) const {
    const auto outcome = verb(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, IsEmpty());
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
    return outcome.output;
}

std::string Operator::refused(const Words& words) const {
    const auto outcome = verb(words);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.output << outcome.errors;
    EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
    return outcome.errors;
}

Process Operator::relay_without_other_topics() const {
    {
        Process first = ready_relay(); // creates the control topic
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    create_topic(topic, 6);
    return ready_relay({{"KAFKA_CREATE_TOPICS", "off"}});
}

void Operator::widen(const std::string& name) {
    alter_topic(name, {});
    const kafka::Admin admin({support::required_variable("KAFKA_BROKERS"), "test"});
    ASSERT_TRUE(wait_until(
        [&] { return admin.topic_config(name, Deadline::in(10s)).at("max.message.bytes") != "10000"; }, 10s))
        << "the broker does not hear of it";
}

bool Operator::wait_status(const std::string& id, const std::string& wanted) {
    return wait_until([&] { return status(id) == wanted; }, 30s);
}

bool Operator::wait_retrying(const std::string& id) {
    return wait_until(
        [&] { return database.number("SELECT retry_count FROM outbox_events WHERE id = $1", {id}) > 0; },
        30s);
}

int Operator::shard_of(const std::string& key) {
    return static_cast<int>(database.number(fmt::format("SELECT outbox_bucket('{}') % {}", key, shards)));
}

void Operator::expect_none_sent(const std::string& where, std::chrono::milliseconds span) {
    stay_quiet(span);
    EXPECT_EQ(count("status = 'SENT' AND " + where), 0) << where;
}

std::vector<std::string> Operator::audit() {
    std::vector<std::string> entries;
    for (const auto& row :
         database.query("SELECT verb, selection, rows, forced FROM outbox_audit ORDER BY id")) {
        entries.push_back(fmt::format("{} {} {} {}", row[0], row[1], row[2], row[3]));
    }
    return entries;
}

} // namespace outbox::relays
