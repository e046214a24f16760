// What outbox-server depends on, as its /health and /readyz ask it. Each question has a deadline and
// its own connection, and a refusal says what to type.

#include "dependencies.hpp"

#include <outbox/core/error.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/schema.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

namespace outbox {
namespace {

constexpr postgres::Statement tables_statement{
    "health", "SELECT to_regclass('users') IS NOT NULL AND to_regclass('idempotency_keys') IS NOT NULL"};

/// The command that makes the topic, for whoever must make it by hand.
std::string command_for(const kafka::NewTopic& topic, const std::string& brokers) {
    return fmt::format("kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions {}{}", brokers,
                       topic.name, topic.partitions,
                       topic.replication > 0 ? fmt::format(" --replication-factor {}", topic.replication)
                                             : "");
}

} // namespace

bool Database::has_tables(Deadline deadline) {
    auto connection = pool_.borrow(deadline);
    // Or an upgrade would take every server out of service that is not yet replaced.
    store::check_schema(*connection, deadline.left(), store::Newer::works);
    postgres::Transaction transaction(*connection, deadline); // a pooler's session has our schema in it alone
    return transaction.run(tables_statement, {}).boolean(0, 0);
}

void Database::check(Deadline deadline) {
    bool there = false;
    try {
        there = has_tables(deadline);
    } catch (const Error& error) {
        // A first failure on a pooled session proves nothing: the server may have restarted since it
        // was used last.
        if (error.action() != Action::reconnect) {
            throw;
        }
        there = has_tables(deadline); // the session may have ended while it was idle; the pool opens another
    }
    if (!there) {
        throw Error(Action::stop, "the example's tables are missing: type outbox-migrate up --set=all");
    }
}

void EventTopic::check(Deadline deadline) {
    try {
        if (admin_.topic(topic_.name, deadline)) {
            return;
        }
    } catch (const kafka::KafkaError& error) {
        if (error.blame() != kafka::Blame::nobody) {
            throw;
        }
        throw Error(error.action(), fmt::format("no Kafka broker answers at {} ({})", brokers_,
                                                kafka::error_name(error.code())));
    }
    if (!create_) {
        throw Error(Action::stop,
                    fmt::format("topic {} does not exist and KAFKA_CREATE_TOPICS is off; create it: {}",
                                topic_.name, command_for(topic_, brokers_)));
    }
    admin_.create_topic(topic_, deadline);
    log::info("topic created", {{"topic", topic_.name}, {"partitions", topic_.partitions}});
}

} // namespace outbox
