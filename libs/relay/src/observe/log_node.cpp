// What the log says of the relay as a whole.
#include "observe/log_observer.hpp"

#include <outbox/telemetry/log.hpp>

namespace outbox::relay {

void LogObserver::started(const happened::Started& started) {
    log::info("relay starts", {{"outbox", started.outbox},
                               {"name", started.name},
                               {"cluster", started.cluster},
                               {"shards", started.shards},
                               {"relay", started.relay}});
}

/// The same reason is said ever more rarely, because a server that is away is asked many times a
/// minute.
void LogObserver::waits(const happened::Waits& waits) {
    {
        const std::lock_guard lock(mutex_);
        if (!waits_.worth_saying(std::string(waits.reason), now_())) {
            return;
        }
    }
    (waits.refused ? log::error : log::warn)("relay waits for PostgreSQL and Kafka",
                                             {{"reason", waits.reason}, {"failures", waits.failures}});
}

/// The next wait is a new one and is said at once.
void LogObserver::joined() {
    const std::lock_guard lock(mutex_);
    waits_.over();
}

void LogObserver::pauses_changed(const happened::PausesChanged& paused) {
    log::info("pauses changed", {{"paused_shards", paused.shards}, {"paused_topics", paused.topics}});
}

void LogObserver::resharded(const happened::Resharded& shards) {
    log::info("shards changed", {{"shards", shards.shards}, {"before", shards.before}});
}

void LogObserver::shard_made(int shard) {
    log::error("somebody deleted a shard from outbox_shards; it is made anew, and recovery reads from "
               "the control "
               "topic where it stood",
               {{"shard", shard}});
}

void LogObserver::order_violation(const happened::OrderViolation& violation) {
    log::error("the identity of outbox_events.seq stood below the newest event, as after a move of the "
               "database by logical replication; it was moved past it. What was written before this "
               "moment may overtake older events of its key",
               {{"seq", violation.seq}});
}

void LogObserver::order_unchecked(std::string_view reason) {
    log::warn("not checked: whether numbers of events are given out again",
              {{"reason", reason}, {"mend", "outbox-migrate up checks it, and takes its time"}});
}

/// One line a finding, with its object and what to type, at the level that its gravity asks for.
void LogObserver::found(const happened::Finding& finding) {
    const log::Fields fields{{"object", finding.object}, {"what", finding.what}, {"type", finding.mend}};
    switch (finding.gravity) {
    case happened::Gravity::refusal:
        log::error("nothing is sent until the database is mended", fields);
        break;
    case happened::Gravity::error:
        log::error("the database is to be mended", fields);
        break;
    case happened::Gravity::warning:
        log::warn("to be known of the database", fields);
        break;
    }
}

void LogObserver::mended(std::string_view finding) {
    log::info("the database is mended", {{"of", finding}});
}

void LogObserver::lossy(happened::LossyServer server) {
    if (server == happened::LossyServer::postgres) {
        log::error(
            "PostgreSQL loses committed transactions when its machine crashes; the guarantee does not "
            "hold with it",
            {{"setting", "fsync=off"}, {"mend", "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf()"}});
        return;
    }
    log::error("Kafka may forget transactions when brokers fail; the guarantee does not hold with it",
               {{"topic", "__transaction_state"},
                {"setting", "unclean.leader.election.enable=true"},
                {"mend", "kafka-configs.sh --bootstrap-server <broker> --alter --topic "
                         "__transaction_state --add-config unclean.leader.election.enable=false"}});
}

void LogObserver::lossy_unchecked(std::string_view reason) {
    log::info("not checked: how Kafka keeps its transactions", {{"reason", reason}});
}

void LogObserver::drains(const happened::Drains& drains) {
    log::info("relay drains", {{"shards", drains.shards}, {"timeout_ms", drains.timeout.count()}});
}

void LogObserver::beat_missed(std::string_view reason) {
    log::warn("no heartbeat while draining", {{"reason", reason}});
}

void LogObserver::not_drained(const happened::Count& events) {
    log::warn("shard not drained", {{"shard", events.shard}, {"events_in_flight", events.count}});
}

void LogObserver::not_left(std::string_view reason) {
    log::warn("the relays' register was not left", {{"reason", reason}});
}

/// A drain that was cut short is no loss: what was left is settled by whoever owns the shards next.
void LogObserver::drained(const happened::Drained& drained) {
    if (drained.in_time) {
        log::info("relay drained", {{"events_in_flight", drained.in_flight}});
    } else {
        log::warn("relay ends before its shards; recovery settles what was left",
                  {{"events_in_flight", drained.in_flight}});
    }
}

/// In a program the line stands on stderr already; a service has nothing but its log.
void LogObserver::gave_up(std::string_view reason) {
    if (says_why_it_ends_) {
        log::error("relay ends", {{"reason", reason}});
    }
}

} // namespace outbox::relay
