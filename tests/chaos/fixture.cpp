#include "fixture.hpp"

#include <outbox/support/environment.hpp>
#include <outbox/support/topics.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <stdexcept>

namespace outbox::chaos {
namespace {

/// Of "port" or "host:port".
std::uint16_t port_of_variable(const std::string& name) {
    const std::string address = support::required_variable(name);
    return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

} // namespace

Chaos::Chaos()
    : kafka(std::move(FaultProxy::kafka({port_of_variable("KAFKA_BROKERS")}).front())),
      postgres(FaultProxy::postgres(port_of_variable("DB_PORT"))) {}

void Chaos::TearDown() {
    if (HasFailure()) {
        for (const Passage& passage : kafka->passages()) {
            std::cerr << passage.number << ' ' << testing::PrintToString(passage) << '\n';
        }
        if (relay) {
            std::cerr << relay->errors() << (relay->running() ? "it still runs\n" : "it has ended\n");
        }
    }
    relay.reset();
    support::delete_topics({database.name(), "outbox." + database.name() + ".control"});
}

Variables Chaos::direct() const {
    Variables variables = database.environment();
    variables["KAFKA_BROKERS"] = support::required_variable("KAFKA_BROKERS");
    return variables;
}

Variables Chaos::through_proxies(const Variables& changes) const {
    Variables variables = database.environment();
    variables["DB_HOST"] = "127.0.0.1";
    variables["DB_PORT"] = std::to_string(postgres->port());
    variables["KAFKA_BROKERS"] = fmt::format("127.0.0.1:{}", kafka->port());
    variables["KAFKA_TOPIC_PARTITIONS"] = "1";
    variables["RELAY_SHARDS"] = "1";
    variables["RELAY_LEASE"] = "9"; // a busy machine must keep it; statements may take a third of it
    variables["RELAY_TRANSACTION_EVENTS"] = std::to_string(events_a_batch);
    variables["LOG_LEVEL"] = "debug";
    for (const auto& [name, value] : changes) {
        variables[name] = value;
    }
    return variables;
}

void Chaos::start_relay(const Variables& changes) {
    relay.emplace(support::Command{{support::program("outbox-relay-faults")}, through_proxies(changes)});
    if (!relay->wait_for(support::Signal("recovered"), soon())) {
        throw std::runtime_error("the relay does not take its shard");
    }
}

void Chaos::write_events() const {
    const auto outcome =
        support::run({{support::program("outbox-load"), "--topic", database.name(), "--events",
                       std::to_string(events), "--keys", "20", "--batch", "10", "--rollback-percent", "5"},
                      direct()});
    if (outcome.exit_code != 0) {
        throw std::runtime_error("outbox-load: " + outcome.output + outcome.errors);
    }
}

void Chaos::expect_exactly_once() {
    const auto verdict = support::run({{support::program("outbox-check"), "--wait", "40"}, direct()},
                                      std::chrono::seconds(60));
    EXPECT_EQ(verdict.exit_code, 0) << verdict.output << verdict.errors;
    EXPECT_THAT(verdict.output, testing::HasSubstr(fmt::format("events={0} sent={0} ", events)));
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events WHERE retry_count > 0"), 0);
}

void Chaos::expect_delivery_after(RuleId rule) {
    write_events();
    kafka->wait_hit(rule, soon());
    expect_exactly_once();
}

Passage Chaos::send_in_next_transaction(const Rule& rule, const std::function<void(std::string&)>& change) {
    const auto kept = kafka->inject(rule);
    const auto end =
        kafka->inject({.match = {"EndTxn", "-p0-1 "}, .fault = {Fault::Kind::none}, .after = kept});
    const auto first =
        kafka->inject({.match = {"Produce", "-p0-1 "}, .fault = {Fault::Kind::none}, .after = end});
    const auto second =
        kafka->inject({.match = {"Produce", "-p0-1 "}, .fault = {Fault::Kind::stall}, .after = first});
    write_events();
    kafka->wait_answer(kafka->wait_hit(first, soon()).number, soon());
    kafka->wait_hit(second, soon());
    auto stray = kafka->send_kept(kept, soon(), change);
    kafka->lift(second);
    return stray;
}

std::ptrdiff_t Chaos::strays() const {
    const auto seen = kafka->passages();
    return std::count_if(seen.begin(), seen.end(),
                         [](const Passage& passage) { return passage.stray && passage.answered; });
}

int Chaos::recoveries() const {
    return relay->count(support::Signal("recovered")) - 1;
}

void PrintTo(const Passage& passage, std::ostream* out) {
    *out << fmt::format("{} ({}), {}{}", passage.request.kind, passage.request.text,
                        passage.answered ? fmt::format("answered with error {}", passage.error)
                                         : "not answered",
                        passage.stray  ? ", sent by the proxy"
                        : passage.rule ? fmt::format(", rule {}", *passage.rule)
                                       : "");
}

} // namespace outbox::chaos
