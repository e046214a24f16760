#include "shard/postgres_session.hpp"

#include <outbox/faults/faults.hpp>
#include <outbox/store/refused.hpp>

namespace outbox::relay {
postgres::Connection PostgresSession::connect() const {
    auto session = postgres::Connection::open(options_, Deadline::in(milliseconds(5'000)));
    const std::string durable = faults::cure("flush-before-commit") ? "on" : "off";
    // The statements know their indexes; a plan must not depend on how fresh the statistics are.
    session.script("SET enable_indexscan = on; SET enable_nestloop = on; SET enable_seqscan = off;"
                   " SET enable_bitmapscan = off; SET enable_hashjoin = off;"
                   " SET enable_mergejoin = off; SET jit = off; SET plan_cache_mode = force_generic_plan;"
                   " SET synchronous_commit = " +
                       durable,
                   Deadline::in(settings_.timeout));
    return session;
}

void PostgresSession::close() {
    store_.reset();
    connection_.reset();
}

void PostgresSession::open() {
    close();
    connection_ = connect();
    store_.emplace(*connection_, settings_);
}

std::vector<store::UnreadableRow> PostgresSession::find_unreadable() {
    return store::find_unreadable([this] { return connect(); }, store_->choice(), settings_.timeout);
}

std::vector<store::UnreadableRow> PostgresSession::find_refused() {
    return store::find_refused([this] { return connect(); }, store_->choice(), settings_.timeout);
}

} // namespace outbox::relay
