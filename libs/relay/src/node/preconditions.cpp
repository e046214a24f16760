// Settings of the servers under which the guarantee does not hold. Nothing is refused for them: without
// a crash of a server nothing is lost by them, and a test machine may well be set up so.

#include "node/preconditions.hpp"

namespace outbox::relay {
namespace {

bool lacks_fsync(postgres::Connection& session, Deadline deadline) {
    return session.query("SHOW fsync", {}, deadline).text(0, 0) == "off";
}

bool elects_unclean(const kafka::Admin& admin, Deadline deadline) {
    const auto config = admin.topic_config("__transaction_state", deadline);
    const auto found = config.find("unclean.leader.election.enable");
    return found != config.end() && found->second == "true";
}

} // namespace

void find_lossy_servers(postgres::Connection& session, const kafka::Admin& admin, Observer& observer,
                        Deadline deadline) {
    if (lacks_fsync(session, deadline)) {
        observer.lossy(happened::LossyServer::postgres);
    }
    try {
        if (elects_unclean(admin, deadline)) {
            observer.lossy(happened::LossyServer::kafka);
        }
    } catch (const kafka::KafkaError& error) {
        // A cluster makes the topic, without unclean election, at its first transaction.
        if (error.code() != kafka::unknown_topic) {
            observer.lossy_unchecked(error.what());
        }
    }
}

} // namespace outbox::relay
