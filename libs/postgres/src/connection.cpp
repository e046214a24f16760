// The only file in the product that talks to PostgreSQL. libpq is used without ever blocking: every
// wait is poll() on its socket with the caller's deadline, and when the deadline passes the connection
// is closed, because what the server still does with the statement is unknown from then on. Errors
// become a DatabaseError, whose SQLSTATE decides what the caller can do (error.cpp has the table).

#include "outbox/postgres/connection.hpp"

#include "connect_advice.hpp"
#include "session_count.hpp"
#include "session_settings.hpp"

#include <outbox/core/secret_file.hpp>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <memory>

namespace outbox::postgres {
namespace {

/// libpq ends its messages with a line break.
std::string trimmed(const char* message) {
    std::string text = message == nullptr ? "" : message;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.pop_back();
    }
    return text;
}

/// One field of a server's error, empty where it says nothing.
std::string field(const pg_result* result, int code) {
    const char* value = PQresultErrorField(result, code);
    return value == nullptr ? "" : value;
}

/// The SQLSTATE of a write on a standby: for us the same as meeting one.
constexpr auto read_only_server = "25006";

/// @return revents of `fd`, 0 at the deadline.
short poll_one(int fd, short events, Deadline deadline) {
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    while (true) {
        const int ready = poll(&entry, 1, static_cast<int>(deadline.left().count()));
        if (ready >= 0 || errno != EINTR) {
            return ready > 0 ? entry.revents : short{0};
        }
    }
}

/// The server's tcp_user_timeout bounds what the others do not: its sending to a client that does not read.
/// @param set  "SET" or "SET LOCAL"
std::string timeouts(const ConnectOptions& options, const char* set) {
    return fmt::format("{0} statement_timeout = {1}; {0} lock_timeout = {2}; "
                       "{0} idle_in_transaction_session_timeout = {3}; {0} tcp_user_timeout = {4}",
                       set, options.statement_timeout.count(), options.lock_timeout.count(),
                       options.idle_in_transaction_timeout.count(), options.tcp_user_timeout.count());
}

/// Nothing of another schema is taken for ours. Temporary tables would come first if they were not named
/// last.
/// @param set  "SET" or "SET LOCAL"
std::string path(const ConnectOptions& options, const char* set) {
    return fmt::format("{} search_path = {}, pg_temp", set, quoted(options.schema));
}

/// Notices would go to stderr, between the lines of the log.
void ignore_notice(void*, const pg_result*) {}

/// The parts of a list of hosts or ports, empty ones included.
std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::size_t from = 0;
    for (auto comma = list.find(','); comma != std::string::npos; comma = list.find(',', from)) {
        parts.push_back(list.substr(from, comma - from));
        from = comma + 1;
    }
    parts.push_back(list.substr(from));
    return parts;
}

/// "a,b" and "5432" or "5432,5433", as libpq has it, but each is given its share of the time: one that never
/// answers does not keep us from the next.
std::vector<ConnectOptions> places_of(const ConnectOptions& options) {
    const auto hosts = split(options.host);
    const auto ports = split(options.port);
    if (ports.size() != 1 && ports.size() != hosts.size()) {
        throw Error(Action::stop,
                    fmt::format("DB_HOST={} and DB_PORT={} are not allowed together: one port for "
                                "all hosts, or one for each",
                                options.host, options.port));
    }
    std::vector<ConnectOptions> places;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        ConnectOptions place = options;
        place.host = hosts[i];
        place.port = ports.size() == 1 ? ports[0] : ports[i];
        place.connect_timeout = options.connect_timeout / static_cast<int>(hosts.size());
        places.push_back(std::move(place));
    }
    return places;
}

} // namespace

std::string quoted(std::string_view name) {
    std::string identifier = "\"";
    for (const char c : name) {
        identifier.append(c == '"' ? 2 : 1, c);
    }
    return identifier + '"';
}

Connection Connection::open(const ConnectOptions& options, Deadline deadline) {
    if (options.host.find(',') == std::string::npos) {
        return open_one(options, deadline);
    }
    // Each host gets its share of the time. The reasons of all are told, for any of them may be the
    // mistake.
    std::string reasons;
    for (const ConnectOptions& place : places_of(options)) {
        try {
            return open_one(place, deadline);
        } catch (const DatabaseError& error) {
            reasons += (reasons.empty() ? "" : "; ") + std::string(error.what());
        }
    }
    throw DatabaseError("08001", reasons);
}

Connection Connection::open_one(const ConnectOptions& options, Deadline deadline) {
    // libpq takes whole seconds, and less than two for two.
    const std::string connect_timeout =
        std::to_string(std::max<long>(2, options.connect_timeout.count() / 1000));
    const std::string password =
        options.password_file.empty() ? options.password : secret_in(options.password_file, options.password);
    const std::string user_timeout = std::to_string(options.tcp_user_timeout.count());
    const std::array keywords{"host",
                              "port",
                              "user",
                              "password",
                              "dbname",
                              "application_name",
                              "client_encoding",
                              "connect_timeout",
                              "tcp_user_timeout",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              static_cast<const char*>(nullptr)};
    const std::array values{options.host.c_str(),
                            options.port.c_str(),
                            options.user.c_str(),
                            password.c_str(),
                            options.database.c_str(),
                            options.application_name.c_str(),
                            "UTF8",
                            connect_timeout.c_str(),
                            user_timeout.c_str(),
                            "2",
                            "1",
                            "3",
                            static_cast<const char*>(nullptr)};
    Connection connection(PQconnectStartParams(keywords.data(), values.data(), 0));
    count_session(connection.handle_.get());
    if (!connection.handle_) {
        throw DatabaseError("", "connect to PostgreSQL: out of memory");
    }
    pg_conn* handle = connection.handle_.get();
    // The loop is libpq's own way to connect without blocking: ask what it waits for, wait, let it
    // go on.
    const Deadline limit = deadline.at_most(options.connect_timeout);
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED || PQstatus(handle) == CONNECTION_BAD) {
            throw DatabaseError("", fmt::format("connect to PostgreSQL at {}:{} as {}: {}{}", options.host,
                                                options.port, options.user, trimmed(PQerrorMessage(handle)),
                                                connect_advice(PQerrorMessage(handle))));
        }
        const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (poll_one(PQsocket(handle), events, limit) == 0) {
            throw DatabaseError("", fmt::format("connect to PostgreSQL at {}:{}: no answer in time",
                                                options.host, options.port));
        }
        state = PQconnectPoll(handle);
    }
    PQsetNoticeReceiver(handle, ignore_notice, nullptr);
    PQsetnonblocking(handle, 1);
    connection.begin_session(options, deadline);
    return connection;
}

/// A pooler makes up the process id that it gives a client, for it must cancel whichever session the client
/// has then. The server's own word differs from it in every mode, and before anything was set in a borrowed
/// session.
void Connection::begin_session(const ConnectOptions& options, Deadline deadline) {
    const auto found = query("SELECT pg_backend_pid(), pg_is_in_recovery(),"
                             " current_setting('session_replication_role') <> 'origin',"
                             " current_setting('synchronous_commit') = 'off'",
                             {}, deadline);
    pooled_ = found.integer(0, 0) != PQbackendPID(handle_.get());
    if (pooled_ && options.own_session) {
        throw Error(Action::stop,
                    fmt::format("a connection pooler (such as PgBouncer) answers at {}:{}, and {} needs "
                                "sessions of its own, for advisory locks, LISTEN and SET: let DB_HOST and "
                                "DB_PORT name PostgreSQL itself",
                                options.host, options.port, options.application_name));
    }
    // A standby would answer reads, and an old state is worse than none: fail here, before anything
    // is read.
    if (options.primary && found.boolean(0, 1)) {
        throw DatabaseError(
            read_only_server,
            fmt::format("this server is a standby; DB_HOST must name the primary ({}:{} answers)",
                        options.host, options.port));
    }
    // PgBouncer gives each session that a client meets the client's time zone.
    std::string settings = "SET timezone = 'UTC'";
    if (pooled_) {
        transaction_settings_ = "; " + path(options, "SET LOCAL") + "; " + timeouts(options, "SET LOCAL");
    } else {
        settings += "; " + path(options, "SET") + "; " + timeouts(options, "SET") + "; " +
                    session_settings(PQserverVersion(handle_.get()), options.own_session);
    }
    if (options.own_session && found.boolean(0, 3)) {
        settings += "; SET synchronous_commit = on"; // what we have answered for must not vanish
    }
    script(settings, deadline);
    if (options.own_session && found.boolean(0, 2)) {
        fire_triggers(options, deadline);
    }
}

/// Needs a superuser where the role does not have the right, and says so: no trigger of ours fires
/// otherwise.
void Connection::fire_triggers(const ConnectOptions& options, Deadline deadline) {
    try {
        script("SET session_replication_role = origin", deadline);
    } catch (const DatabaseError& error) {
        if (error.sqlstate() != "42501") {
            throw;
        }
        throw Error(
            Action::stop,
            fmt::format("session_replication_role is not origin for role {0} of database {1}, so no "
                        "trigger fires, and only a superuser can change that: ALTER ROLE {0} RESET "
                        "session_replication_role; ALTER DATABASE {1} RESET session_replication_role;",
                        options.user, options.database));
    }
}

bool Connection::usable() const noexcept {
    return handle_ && PQstatus(handle_.get()) == CONNECTION_OK;
}

/// Ends the session: after a missing answer nobody knows in which state it is.
void Connection::fail(const char* what, const std::string& why) {
    close();
    prepared_.clear();
    throw DatabaseError("", fmt::format("{}: {}", what, why));
}

/// @throws DatabaseError at the deadline, with the session closed
void Connection::wait_socket(short events, Deadline deadline, const char* what) {
    if (poll_one(PQsocket(handle_.get()), events, deadline) == 0) {
        fail(what, "PostgreSQL did not answer in time");
    }
}

/// Every send of libpq may fail at once, when the connection is known to be broken.
void Connection::send(int sent, const char* what) {
    if (sent == 0) {
        fail(what, trimmed(PQerrorMessage(handle_.get())));
    }
}

void Connection::flush(Deadline deadline, const char* what) {
    pg_conn* handle = handle_.get();
    // While our bytes do not go out the server's must be read, or both sides wait for each other.
    while (const int pending = PQflush(handle)) {
        if (pending < 0) {
            fail(what, trimmed(PQerrorMessage(handle)));
        }
        wait_socket(POLLIN | POLLOUT, deadline, what);
        PQconsumeInput(handle);
    }
}

/// The next result of what was sent, null after the last one.
pg_result* Connection::next_result(Deadline deadline, const char* what) {
    pg_conn* handle = handle_.get();
    while (PQisBusy(handle) != 0) {
        wait_socket(POLLIN, deadline, what);
        if (PQconsumeInput(handle) == 0) {
            fail(what, trimmed(PQerrorMessage(handle)));
        }
    }
    return PQgetResult(handle);
}

/// After a refusal that leaves the session of no use it is closed; then the refusal goes to the caller.
void Connection::sort_out(const DatabaseError& refused) {
    if (refused.action() == Action::reconnect || !usable()) {
        close();
        prepared_.clear();
    }
    throw DatabaseError(refused);
}

namespace {

/// True for a result that is no error.
bool good(const pg_result* result) {
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

struct FreeMemory {
    void operator()(char* text) const { PQfreemem(text); }
};

/// Of data that it does not take the server repeats the row in DETAIL and CONTEXT, and events are never
/// logged.
std::string message_of(const pg_result* result) {
    const std::string state = field(result, PG_DIAG_SQLSTATE);
    if (state.rfind("22", 0) != 0 && state.rfind("23", 0) != 0 && state.rfind("44", 0) != 0) {
        return trimmed(PQresultErrorMessage(result));
    }
    const std::unique_ptr<char, FreeMemory> terse(
        PQresultVerboseErrorMessage(result, PQERRORS_TERSE, PQSHOW_CONTEXT_NEVER));
    return trimmed(terse.get());
}

/// What the server said, in the fields that decide and in those that are shown.
DatabaseError error_of(const pg_result* result, const char* what) {
    return {field(result, PG_DIAG_SQLSTATE),        fmt::format("{}: {}", what, message_of(result)),
            field(result, PG_DIAG_MESSAGE_HINT),    field(result, PG_DIAG_CONSTRAINT_NAME),
            field(result, PG_DIAG_MESSAGE_PRIMARY), field(result, PG_DIAG_SOURCE_FUNCTION)};
}

} // namespace

/// Reads all results of one request, even after an error: the session can be used again only when it is
/// drained.
std::vector<Result> Connection::receive(Deadline deadline, const char* what) {
    flush(deadline, what);
    std::vector<Result> results;
    std::unique_ptr<DatabaseError> refused;
    while (pg_result* raw = next_result(deadline, what)) {
        Result result(raw);
        if (good(raw)) {
            results.push_back(std::move(result));
        } else if (!refused) {
            refused = std::make_unique<DatabaseError>(error_of(raw, what));
        }
    }
    if (refused) {
        sort_out(*refused);
    }
    return results;
}

/// Prepares the statement once a session. Behind a pooler nothing is prepared: the next call may meet
/// another session, in which the name is unknown or means another statement.
void Connection::prepare(const Statement& statement, Deadline deadline) {
    if (!usable()) {
        fail(statement.name, "the connection is closed");
    }
    if (pooled_ || prepared_.contains(statement.name)) {
        return;
    }
    send(PQsendPrepare(handle_.get(), statement.name, statement.sql, 0, nullptr), statement.name);
    receive(deadline, statement.name);
    prepared_.emplace(statement.name);
}

namespace {

/// Pointers into the parameters, which must outlive the call of libpq.
std::vector<const char*> values_of(const Params& params) {
    std::vector<const char*> values;
    values.reserve(params.size());
    for (const Param& param : params) {
        values.push_back(param.text() ? param.text()->c_str() : nullptr);
    }
    return values;
}

Result last_of(std::vector<Result> results) {
    return results.empty() ? Result() : std::move(results.back());
}

} // namespace

/// @return as of libpq: 0 when it failed
int Connection::send_statement(const Statement& statement, const Params& params, Format format) {
    const auto values = values_of(params);
    const auto count = static_cast<int>(values.size());
    const int binary = format == Format::binary ? 1 : 0;
    return pooled_ ? PQsendQueryParams(handle_.get(), statement.sql, count, nullptr, values.data(), nullptr,
                                       nullptr, binary)
                   : PQsendQueryPrepared(handle_.get(), statement.name, count, values.data(), nullptr,
                                         nullptr, binary);
}

Result Connection::run(const Statement& statement, const Params& params, Deadline deadline, Format format) {
    prepare(statement, deadline);
    send(send_statement(statement, params, format), statement.name);
    return last_of(receive(deadline, statement.name));
}

Result Connection::query(const std::string& sql, const Params& params, Deadline deadline, Format format) {
    if (!usable()) {
        fail("query", "the connection is closed");
    }
    const auto values = values_of(params);
    send(PQsendQueryParams(handle_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                           values.data(), nullptr, nullptr, format == Format::binary ? 1 : 0),
         "query");
    return last_of(receive(deadline, "query"));
}

std::vector<Result> Connection::run_all(std::span<const Call> calls, Deadline deadline) {
    for (const Call& call : calls) {
        prepare(call.statement, deadline);
    }
    pg_conn* handle = handle_.get();
    send(PQenterPipelineMode(handle), "pipeline");
    for (const auto& [statement, params, format] : calls) {
        send(send_statement(statement, params, format), statement.name);
    }
    // The pipeline ends at a sync, which is also where the server lets go of an error: up to it
    // every later statement was refused as "aborted". Its result is read, so that the session is in
    // step again.
    send(PQpipelineSync(handle), "pipeline");
    flush(deadline, "pipeline");
    std::vector<Result> results;
    std::unique_ptr<DatabaseError> refused;
    for (const Call& call : calls) {
        while (pg_result* raw = next_result(deadline, call.statement.name)) {
            Result result(raw);
            if (good(raw)) {
                results.push_back(std::move(result));
            } else if (!refused) {
                refused = std::make_unique<DatabaseError>(error_of(raw, call.statement.name));
            }
        }
    }
    const Result synced(next_result(deadline, "pipeline"));
    if (usable()) {
        send(PQexitPipelineMode(handle), "pipeline");
    }
    if (refused) {
        sort_out(*refused);
    }
    return results;
}

std::vector<Result> Connection::script(const std::string& sql, Deadline deadline) {
    if (!usable()) {
        fail("script", "the connection is closed");
    }
    send(PQsendQuery(handle_.get(), sql.c_str()), "script");
    return receive(deadline, "script");
}

std::vector<std::string> Connection::wait_notifications(int wake_fd, Deadline deadline) {
    if (!usable()) {
        fail("listen", "the connection is closed");
    }
    pg_conn* handle = handle_.get();
    const auto collect = [handle] {
        std::vector<std::string> payloads;
        while (PGnotify* notify = PQnotifies(handle)) {
            payloads.emplace_back(notify->extra);
            PQfreemem(notify);
        }
        return payloads;
    };
    if (auto waiting = collect(); !waiting.empty()) {
        return waiting;
    }
    // poll() waits for both: the server's notification and our own bell, by which the relay is told
    // to end.
    std::array<pollfd, 2> entries{pollfd{PQsocket(handle), POLLIN, 0}, pollfd{wake_fd, POLLIN, 0}};
    const int ready = poll(entries.data(), entries.size(), static_cast<int>(deadline.left().count()));
    if (ready > 0 && entries[0].revents != 0 && PQconsumeInput(handle) == 0) {
        fail("listen", trimmed(PQerrorMessage(handle)));
    }
    return collect();
}

} // namespace outbox::postgres
