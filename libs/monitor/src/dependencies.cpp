#include "dependencies.hpp"

#include <outbox/core/error.hpp>
#include <outbox/store/schema.hpp>

namespace outbox::monitor {
namespace {

postgres::ConnectOptions own_options(postgres::ConnectOptions options) {
    options.application_name = "outbox-relay-health";
    return options;
}

kafka::ClientOptions own_options(kafka::ClientOptions options) {
    options.client_id = "outbox-relay-health";
    return options;
}

} // namespace

Database::Database(postgres::ConnectOptions options) : options_(own_options(std::move(options))) {}

void Database::ask(Deadline deadline) {
    if (!connection_ || !connection_->usable()) {
        connection_ = postgres::Connection::open(options_, deadline);
    }
    store::check_schema(*connection_, deadline.left());
}

/// That a session which was idle fails proves nothing: the server may have restarted since.
void Database::check(Deadline deadline) {
    const bool old = connection_ && connection_->usable();
    try {
        ask(deadline);
    } catch (const Error& error) {
        if (!old || connection_->usable() || deadline.passed()) {
            throw;
        }
        ask(deadline);
    }
}

Broker::Broker(kafka::ClientOptions options) : options_(own_options(std::move(options))) {}

void Broker::check(Deadline deadline) {
    if (!admin_) {
        admin_.emplace(options_);
    }
    std::ignore = admin_->brokers(deadline);
}

} // namespace outbox::monitor
