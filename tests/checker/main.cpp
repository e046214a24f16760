// outbox-check: is every committed event in Kafka exactly once, in order, and as the table says?
// It shares no code with the programs it judges.
#include "database.hpp"
#include "judge.hpp"
#include "options.hpp"
#include "report.hpp"
#include "topic_reader.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace checker {
namespace {

void expect_ids(Judge& judge, const std::string& file) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        const auto id = EventId::parse(line);
        if (!id) {
            throw std::runtime_error(fmt::format("{}: \"{}\" is not an id", file, line));
        }
        judge.expect(*id);
    }
}

void settle_doubts(Judge& judge, Database& database) {
    for (const auto& doubt : database.unequal(judge.take_doubts())) {
        judge.value_differs(doubt);
    }
}

void judge_records(Judge& judge, Database& database, TopicReader& reader,
                   const std::vector<std::string>& topics) {
    const auto partitions = reader.partitions(topics);
    for (const auto& topic : topics) {
        const auto found = partitions.find(topic);
        if (found == partitions.end()) {
            fmt::print(stderr, "note: Kafka has no topic {}\n", topic);
        } else {
            judge.set_partitions(topic, found->second);
        }
    }
    constexpr std::size_t many = 5000; // bounds what is held of values that differ in their bytes
    reader.read(partitions, [&](const Record& record) {
        judge.add(record);
        if (judge.doubts() >= many) {
            settle_doubts(judge, database);
        }
    });
    settle_doubts(judge, database);
}

/// The table before the topics: what is SENT in it must be in Kafka by then. Rows that came later are looked
/// up at the end.
Verdict compare(const Options& options, Judge& judge) {
    Database database(options.login);
    const auto topics = options.topics.empty() ? database.topics() : options.topics;
    database.read_rows(topics, options.order_field, [&](const Row& row) { judge.add(row); });
    TopicReader reader(options.brokers, options.kafka_patience);
    judge_records(judge, database, reader, topics);
    for (const auto& id : database.known(judge.strangers(), topics)) {
        judge.forgive(id);
    }
    if (!options.expected_ids.empty()) {
        expect_ids(judge, options.expected_ids);
    }
    return judge.verdict();
}

int run(const Options& options) {
    const auto left = wait_until_all_sent(options.login, options.wait);
    Judge judge(options.rules);
    const auto verdict = compare(options, judge);
    const bool unsettled = verdict.unsent > 0 && !options.rules.final && !options.moving;
    const bool passed = verdict.clean() && !unsettled;
    if (options.table) {
        print_table(judge, stdout);
    }
    std::fflush(stdout); // both may go to one file
    print_details(verdict, stderr);
    if (unsettled) {
        fmt::print(stderr, "unsettled: {} NEW and {} PROCESSING row(s) after waiting {} s\n", left.fresh,
                   left.processing, static_cast<double>(options.wait.count()) / 1000);
    }
    if (options.json) {
        print_json(verdict, passed, stdout);
    } else {
        fmt::print("{}{}\n", verdict.line(),
                   verdict.unsent > 0 ? fmt::format(" unsent={}", verdict.unsent) : "");
    }
    return passed ? 0 : 1;
}

} // namespace
} // namespace checker

int main(int argc, char** argv) {
    try {
        return checker::run(checker::parse_options(argc, argv));
    } catch (const std::exception& error) {
        fmt::print(stderr, "outbox-check: {}\n", error.what());
        return 1;
    }
}
