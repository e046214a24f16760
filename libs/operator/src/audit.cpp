#include "audit.hpp"

#include <outbox/core/user.hpp>
#include <outbox/postgres/options.hpp>
#include <outbox/store/schema.hpp>
#include <outbox/store/sql/audit.hpp>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;

} // namespace

AuditEntry::AuditEntry(postgres::Transaction& transaction, const char* verb, const std::string& selection,
                       const Motive& motive)
    : id_(transaction
              .run(sql::write_audit,
                   {user_and_host(), motive.why, verb, selection, motive.force ? "true" : "false"})
              .integer(0, 0)) {}

void AuditEntry::add(postgres::Transaction& transaction, std::int64_t rows) const {
    transaction.run(sql::add_audit, {id_, rows});
}

postgres::Connection open_session(const Settings& settings) {
    auto options = postgres::options_from(settings, "outbox-operator");
    // An operator's session must not hold up relays: it gives up early, and holds no lock for long.
    options.lock_timeout =
        milliseconds(2'000); // behind one who waits for a shard's lock, its relay waits too
    options.idle_in_transaction_timeout = milliseconds(5'000);
    auto session = postgres::Connection::open(options, Deadline::in(milliseconds(10'000)));
    store::check_schema(session, milliseconds(10'000));
    // Compiling a query about a few shards costs more than running it.
    session.script("SET jit = off", Deadline::in(milliseconds(10'000)));
    return session;
}

} // namespace outbox::verbs
