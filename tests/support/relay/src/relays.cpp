#include "outbox/support/relays.hpp"

#include <outbox/support/environment.hpp>

#include <fmt/format.h>

#include <csignal>
#include <sstream>
#include <stdexcept>

namespace outbox::relays {
namespace {

std::map<std::string, std::int64_t> statements_so_far(postgres::Connection& session) {
    const auto counts =
        session.query("SELECT regexp_replace(left(query, 100), '\\s+', ' ', 'g'), sum(calls)::bigint FROM "
                      "pg_stat_statements"
                      " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
                      " AND query NOT LIKE '%pg_stat_statements%' GROUP BY 1",
                      {}, Deadline::in(30s));
    std::map<std::string, std::int64_t> calls;
    for (int i = 0; i < counts.rows(); ++i) {
        calls[counts.text(i, 0)] = std::stoll(counts.text(i, 1));
    }
    return calls;
}

} // namespace

void script(postgres::Connection& session, const std::string& sql) {
    session.script(sql, Deadline::in(30s));
}

int lines_with(const std::string& words, const std::string& log) {
    std::istringstream lines(log);
    int found = 0;
    for (std::string line; std::getline(lines, line);) {
        found += line.find(words) != std::string::npos ? 1 : 0;
    }
    return found;
}

Variables Relays::environment(const Variables& changes) const {
    Variables variables = database.environment();
    variables["KAFKA_BROKERS"] = support::required_variable("KAFKA_BROKERS");
    variables["OUTBOX_NAME"] = database.name();
    variables["RELAY_SHARDS"] = std::to_string(shards);
    variables["RELAY_LEASE"] = "3";
    variables["RELAY_HTTP_PORT"] = "0"; // several run at once
    for (const auto& [name, value] : changes) {
        variables[name] = value;
    }
    return variables;
}

Process Relays::start_relay(const Variables& changes) const {
    return Process({{support::program("outbox-relay-faults")}, environment(changes)});
}

Process Relays::start_relay_with_fault(const std::string& fault, Variables changes) const {
    changes["OUTBOX_FAULT"] = fault;
    return start_relay(changes);
}

Process Relays::ready_relay(const Variables& changes) const {
    Process relay = start_relay(changes);
    const int wanted = std::stoi(environment(changes)["RELAY_SHARDS"]);
    if (!relay.wait_for(Signal("recovered"), Deadline::in(90s * slowness), wanted)) {
        throw std::runtime_error("the relay does not get ready: " + relay.errors());
    }
    return relay;
}

support::Command Relays::load(const std::vector<std::string>& words, const Variables& changes) const {
    support::Command command{{support::program("outbox-load"), "--topic", topic}, environment(changes)};
    command.words.insert(command.words.end(), words.begin(), words.end());
    return command;
}

std::string Relays::insert_sql(const Event& event) const {
    return fmt::format("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, "
                       "topic, max_retries) VALUES (gen_random_uuid(), 'user', '{}', 'user.created', '{}', "
                       "'{}', {})",
                       event.key, event.data, event.topic.empty() ? topic : event.topic, event.max_retries);
}

std::string Relays::insert(const Event& event) {
    return database.value(insert_sql(event) + " RETURNING id");
}

std::int64_t Relays::count(const std::string& where) {
    return database.number("SELECT count(*) FROM outbox_events WHERE " + where);
}

std::string Relays::status(const std::string& id) {
    return database.value("SELECT status FROM outbox_events WHERE id = $1", {id});
}

bool Relays::wait_sent(const std::string& id, std::chrono::milliseconds limit) {
    return wait_until([&] { return sent(id); }, limit);
}

Relays::Activity Relays::watch_relays(std::chrono::milliseconds span) const {
    auto counter = database.connect();
    script(counter, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    auto onlooker = postgres::Connection::open(support::server_options("postgres"), Deadline::in(30s));
    Activity activity;
    const auto before = statements_so_far(counter);
    for (const Deadline end = Deadline::in(span); !end.passed(); stay_quiet(10ms)) {
        const auto holding = onlooker.query(
            "SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'outbox-relay%'"
            " AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR state LIKE 'idle in%')",
            {database.name()}, Deadline::in(30s));
        ++activity.samples;
        activity.with_snapshot += holding.rows() > 0 ? 1 : 0;
    }
    for (const auto& [text, calls] : statements_so_far(counter)) {
        const auto found = before.find(text);
        const auto more = calls - (found == before.end() ? 0 : found->second);
        activity.statements += more;
        if (more > 0) {
            activity.by_text[text] = more;
        }
    }
    return activity;
}

void Relays::expect_exactly_once(const std::vector<std::string>& words) {
    support::Command command{{support::program("outbox-check")}, environment()};
    command.words.insert(command.words.end(), words.begin(), words.end());
    const auto verdict = support::run(command, 240s); // it waits for the rows, then for the end of the topics
    EXPECT_EQ(verdict.exit_code, 0) << verdict.output << verdict.errors;
}

support::Outcome Relays::stop(Process& relay) {
    relay.signal(SIGTERM);
    auto outcome = relay.wait(Deadline::in(30s));
    EXPECT_EQ(outcome.signal, 0) << outcome.errors;
    return outcome;
}

} // namespace outbox::relays
