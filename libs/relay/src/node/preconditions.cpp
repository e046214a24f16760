#include "node/preconditions.hpp"

#include <outbox/telemetry/log.hpp>

namespace outbox::relay {
namespace {

constexpr auto transactions_topic = "__transaction_state";

void warn_without_fsync(postgres::Connection& session, Deadline deadline) {
    if (session.query("SHOW fsync", {}, deadline).text(0, 0) == "off") {
        log::error(
            "PostgreSQL loses committed transactions when its machine crashes; the guarantee does not "
            "hold with it",
            {{"setting", "fsync=off"}, {"mend", "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf()"}});
    }
}

void warn_of_unclean_election(const kafka::Admin& admin, Deadline deadline) {
    const auto config = admin.topic_config(transactions_topic, deadline);
    const auto found = config.find("unclean.leader.election.enable");
    if (found != config.end() && found->second == "true") {
        log::error("Kafka may forget transactions when brokers fail; the guarantee does not hold with it",
                   {{"topic", transactions_topic},
                    {"setting", "unclean.leader.election.enable=true"},
                    {"mend", "kafka-configs.sh --bootstrap-server <broker> --alter --topic "
                             "__transaction_state --add-config unclean.leader.election.enable=false"}});
    }
}

} // namespace

void warn_of_lossy_servers(postgres::Connection& session, const kafka::Admin& admin, Deadline deadline) {
    warn_without_fsync(session, deadline);
    try {
        warn_of_unclean_election(admin, deadline);
    } catch (const kafka::KafkaError& error) {
        // A cluster makes the topic, without unclean election, at its first transaction.
        if (error.code() != kafka::unknown_topic) {
            log::info("not checked: how Kafka keeps its transactions", {{"reason", error.what()}});
        }
    }
}

} // namespace outbox::relay
