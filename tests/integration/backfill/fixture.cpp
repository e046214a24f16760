#include "fixture.hpp"

#include <outbox/support/topics.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace outbox::relays {

Backfill::~Backfill() {
    try {
        support::delete_topics({topic, replays, "outbox." + database.name() + ".backfill"});
    } catch (const std::exception& error) {
        std::cerr << "topics are left behind: " << error.what() << '\n';
    }
}

void Backfill::fill(int events, const std::string& aggregate_type, const std::string& status) {
    database.query(fmt::format("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, "
                               "event_data, topic, status, created_at,"
                               " processed_at) SELECT gen_random_uuid(), '{0}', '{0}-' || i % 40, "
                               "'{0}.created', jsonb_build_object('n', i),"
                               " '{1}', '{2}', now() - interval '1 hour', now() - interval '1 hour' FROM "
                               "generate_series(1, {3}) AS i",
                               aggregate_type, topic, status, events));
}

support::Outcome Backfill::backfill(const Words& words, const Variables& changes) const {
    support::Command command{{support::program("outbox-backfill")}, environment(changes)};
    command.words.insert(command.words.end(), words.begin(), words.end());
    return support::run(command, 120s);
}

std::string Backfill::done(const Words& words) const {
    const auto outcome = backfill(words);
    EXPECT_EQ(outcome.exit_code, 0) << fmt::format("{}: {}", fmt::join(words, " "), outcome.errors);
    return outcome.output;
}

std::string Backfill::failed(const Words& words, int exit_code, const Variables& changes) const {
    const auto outcome = backfill(words, changes);
    EXPECT_EQ(outcome.exit_code, exit_code) << fmt::format("{}: {}", fmt::join(words, " "), outcome.errors);
    EXPECT_THAT(outcome.errors, StartsWith("outbox-backfill: "));
    EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
    return outcome.errors;
}

Process Backfill::start(const Words& words) const {
    support::Command command{{support::program("outbox-backfill")}, environment()};
    command.words.insert(command.words.end(), words.begin(), words.end());
    return Process(command);
}

Process Backfill::start_with_fault(const Words& words, const std::string& fault) const {
    support::Command command{{support::program("outbox-backfill-faults")},
                             environment({{"OUTBOX_FAULT", fault}})};
    command.words.insert(command.words.end(), words.begin(), words.end());
    return Process(command);
}

void Backfill::expect_once(const std::string& where, const std::string& table) {
    std::map<std::string, std::int64_t> missing; // seq by id
    for (const auto& row : database.query(fmt::format("SELECT id, seq FROM {} WHERE {}", table, where))) {
        missing[row[0]] = std::stoll(row[1]);
    }
    std::size_t strange = 0;
    std::size_t misplaced = 0;
    std::map<std::string, std::int64_t> newest; // by key
    auto messages = read_topic(replays);
    std::sort(messages.begin(), messages.end(), [](const Message& a, const Message& b) {
        return std::pair(a.partition, a.offset) < std::pair(b.partition, b.offset);
    });
    for (const Message& message : messages) {
        const auto found = missing.find(message.headers.at("outbox-original-id"));
        if (found == missing.end()) {
            ++strange; // a second time, or not of the run
            continue;
        }
        auto& last = newest[message.key];
        misplaced += found->second < last ? 1 : 0;
        last = found->second;
        missing.erase(found);
    }
    EXPECT_EQ(missing.size(), 0U) << "events are lost";
    EXPECT_EQ(strange, 0U) << "events are repeated, or do not belong there";
    EXPECT_EQ(misplaced, 0U) << "events of a key are out of order";
}

} // namespace outbox::relays
