// The consumer's side: one handler call for each event, however often it comes. The turn is one
// statement. It locks the partition's row of offsets, moves it on when this offset was not passed yet,
// and writes the id; a row that was there already, of either kind, means that the message was handled
// before.

#include "outbox/inbox/inbox.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/handle.hpp>
#include <outbox/postgres/error.hpp>

#include <libpq-fe.h>

#include <array>
#include <utility>

namespace outbox {
namespace {

using inbox::Message;
using inbox::Tx;
using Result = Handle<PGresult, PQclear>;

// ids come roughly in the order of seen_at, which is what BRIN needs; it costs a turn next to nothing.
constexpr std::string_view tables = R"(
CREATE TABLE IF NOT EXISTS outbox_inbox (
    consumer text NOT NULL,
    id text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, id)
);
CREATE INDEX IF NOT EXISTS outbox_inbox_seen_at ON outbox_inbox USING brin (seen_at);
CREATE TABLE IF NOT EXISTS outbox_inbox_offsets (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
);
)";

// The upsert locks the partition's row even where it changes nothing, and judges the row's newest version.
constexpr const char* take_turn = R"(
WITH turn AS (
    INSERT INTO outbox_inbox_offsets AS known (consumer, topic, partition, next_offset)
    VALUES ($1, $2, $3::integer, $4::bigint + 1)
    ON CONFLICT (consumer, topic, partition)
    DO UPDATE SET next_offset = excluded.next_offset WHERE known.next_offset < excluded.next_offset
    RETURNING known.consumer
)
INSERT INTO outbox_inbox (consumer, id) SELECT consumer, $5 FROM turn ON CONFLICT DO NOTHING)";

constexpr const char* find_offset = "SELECT next_offset FROM outbox_inbox_offsets WHERE consumer = $1 AND "
                                    "topic = $2 AND partition = $3::integer "
                                    "FOR UPDATE";

constexpr const char* forget =
    "DELETE FROM outbox_inbox WHERE consumer = $1 AND seen_at < now() - make_interval(secs => $2::bigint)";

Result checked(Tx tx, PGresult* answer) {
    Result result(answer);
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
        const std::string code = state == nullptr ? "" : state;
        constexpr auto undefined_table = "42P01";
        throw postgres::DatabaseError(
            code, std::string("inbox: ") + PQerrorMessage(tx.session()) +
                      (code == undefined_table
                           ? "its tables are missing: run what Inbox::schema() returns, or set the"
                             " search_path to the schema where they stand"
                           : ""));
    }
    return result;
}

/// A statement without parameters.
void execute(Tx tx, const char* sql) {
    checked(tx, PQexec(tx.session(), sql));
}

/// A statement with text parameters. @return its rows
template <class... Text>
Result execute(Tx tx, const char* sql, const Text&... params) {
    const std::array<const char*, sizeof...(params)> values{params.c_str()...};
    return checked(
        tx, PQexecParams(tx.session(), sql, values.size(), nullptr, values.data(), nullptr, nullptr, 0));
}

std::int64_t rows_changed(const Result& result) {
    return std::stoll(PQcmdTuples(result.get()));
}

void need_transaction(Tx tx) {
    const auto status = PQtransactionStatus(tx.session());
    if (status != PQTRANS_INTRANS && status != PQTRANS_INERROR && status != PQTRANS_UNKNOWN) {
        throw Error(Action::stop, "inbox: the session has no transaction open; begin one first");
    }
}

/// libpq would cut a text at its first NUL, and two ids would become one.
bool is_usable(const std::string& text) {
    return !text.empty() && text.find('\0') == std::string::npos;
}

bool take(Tx tx, const std::string& consumer, const Message& message) {
    return rows_changed(execute(tx, take_turn, consumer, message.topic, std::to_string(message.partition),
                                std::to_string(message.offset), message.id)) == 1;
}

} // namespace

Inbox::Inbox(std::string consumer) : consumer_(std::move(consumer)) {
    if (!is_usable(consumer_)) {
        throw Error(Action::quarantine, "inbox: a consumer needs a name");
    }
}

std::string_view Inbox::schema() noexcept {
    return tables;
}

bool Inbox::once(Tx tx, const Message& message, const std::function<void()>& handler) const {
    need_transaction(tx);
    if (!is_usable(message.id)) {
        throw Error(Action::quarantine, "inbox: " + message.topic + "[" + std::to_string(message.partition) +
                                            "] at " + std::to_string(message.offset) + " has no usable id");
    }
    // Without it, a caller who caught the handler's exception and committed would have lost the event.
    execute(tx, "SAVEPOINT outbox_inbox");
    try {
        const bool mine = take(tx, consumer_, message);
        if (mine) {
            handler();
        }
        execute(tx, "RELEASE SAVEPOINT outbox_inbox");
        return mine;
    } catch (...) {
        // No check: when it fails, the session is gone or the transaction cannot be committed any more.
        const Result ignored(
            PQexec(tx.session(), "ROLLBACK TO SAVEPOINT outbox_inbox; RELEASE SAVEPOINT outbox_inbox"));
        throw;
    }
}

std::optional<std::int64_t> Inbox::next_offset(Tx tx, const std::string& topic,
                                               std::int32_t partition) const {
    need_transaction(tx);
    const auto found = execute(tx, find_offset, consumer_, topic, std::to_string(partition));
    if (PQntuples(found.get()) == 0) {
        return std::nullopt;
    }
    return std::stoll(PQgetvalue(found.get(), 0, 0));
}

std::int64_t Inbox::prune(Tx tx, std::chrono::seconds older_than) const {
    need_transaction(tx);
    return rows_changed(execute(tx, forget, consumer_, std::to_string(older_than.count())));
}

} // namespace outbox
