#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/core/handle.hpp>
#include <outbox/postgres/error.hpp>
#include <outbox/postgres/result.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;
extern "C" void PQfinish(pg_conn*); // NOLINT(readability-identifier-naming): of libpq

namespace outbox::postgres {

/// Where and as whom to connect. Several hosts, separated by commas: the first that answers, and is what is
/// asked for. What is not named here follows libpq's own variables (PGSSLMODE, ...).
struct ConnectOptions {
    std::string host;
    std::string port;
    std::string user;
    std::string password;
    std::string password_file; ///< read again by each new connection; empty: none
    std::string database;
    std::string schema = "public"; ///< what names without one mean, whatever the role's search_path is
    std::string application_name;
    milliseconds connect_timeout{5'000};
    milliseconds statement_timeout{0};           ///< 0: none
    milliseconds lock_timeout{0};                ///< 0: none
    milliseconds idle_in_transaction_timeout{0}; ///< 0: none
    /// Data that the other end does not take for so long ends the connection, at this end and the server's.
    milliseconds tcp_user_timeout{5'000};
    /// False: a connection pooler in transaction mode will do. Then the timeouts above hold in transactions
    /// alone, and nothing of the session's may be relied on.
    bool own_session = true;
    /// Only a primary will do: a standby takes no changes, and what it shows may be old.
    bool primary = true;
};

/// One parameter of a statement, in text form.
class Param {
public:
    Param(std::nullopt_t) {}                                      // NOLINT(google-explicit-constructor)
    Param(std::string text) : text_(std::move(text)) {}           // NOLINT(google-explicit-constructor)
    Param(std::string_view text) : text_(std::string(text)) {}    // NOLINT(google-explicit-constructor)
    Param(const char* text) : text_(text) {}                      // NOLINT(google-explicit-constructor)
    Param(std::int64_t number) : text_(std::to_string(number)) {} // NOLINT(google-explicit-constructor)
    Param(std::int32_t number) : text_(std::to_string(number)) {} // NOLINT(google-explicit-constructor)
    Param(const Uuid& id) : text_(id.to_string()) {}              // NOLINT(google-explicit-constructor)
    Param(bool) = delete;
    Param(std::optional<std::string> text) : text_(std::move(text)) {} // NOLINT(google-explicit-constructor)

    [[nodiscard]] const std::optional<std::string>& text() const noexcept { return text_; }

private:
    std::optional<std::string> text_;
};

/// In the order of $1, $2, ...
using Params = std::vector<Param>;

/// A statement that is prepared on first use of a connection, where that is its own. `name` is unique in the
/// program.
struct Statement {
    const char* name;
    const char* sql;
};

/// How columns come back. Binary is cheaper for numbers and bytes, and needs a reader that knows the
/// types.
enum class Format { text, binary };

/// `name` as an SQL identifier, always quoted.
std::string quoted(std::string_view name);

/// One statement with its parameters, to be sent with others.
struct Call {
    Statement statement;
    Params params = {};
    Format format = Format::text;
};

/// One session with the server. Not thread-safe. After an error with Action::reconnect it is closed.
class Connection {
public:
    /// @throws DatabaseError when it cannot be opened before the deadline; Error(stop) when a pooler is
    /// between, and the session has to be its own. One of its own has our settings, not the role's or the
    /// database's.
    static Connection open(const ConnectOptions& options, Deadline deadline);

    /// Runs one prepared statement.
    /// @throws DatabaseError; without an answer by the deadline the connection is closed, Action::reconnect.
    Result run(const Statement& statement, const Params& params, Deadline deadline,
               Format format = Format::text);

    /// Runs one statement with parameters, unprepared.
    Result query(const std::string& sql, const Params& params, Deadline deadline,
                 Format format = Format::text);

    /// Runs prepared statements one after the other in one round trip. After one that fails the later ones
    /// are not run. @return one result a call. @throws DatabaseError of the first that failed
    std::vector<Result> run_all(std::span<const Call> calls, Deadline deadline);

    /// Runs several statements in the simple protocol: each sees a snapshot of its own inside a
    /// READ COMMITTED transaction, in one round trip. @return one result a statement.
    std::vector<Result> script(const std::string& sql, Deadline deadline);

    /// Waits for NOTIFY, for `wake_fd` to be readable, or for the deadline.
    /// @return payloads that have come. Close or error of the connection throws.
    std::vector<std::string> wait_notifications(int wake_fd, Deadline deadline);

    /// False once the session was lost or closed: nothing can be asked of it any more.
    [[nodiscard]] bool usable() const noexcept;
    /// What a transaction has to begin with where the session cannot keep it; else empty.
    [[nodiscard]] const std::string& transaction_settings() const noexcept { return transaction_settings_; }
    /// Ends the session; what was not committed is rolled back by the server. No effect when it is
    /// closed already.
    void close() noexcept { handle_.reset(); }

private:
    explicit Connection(pg_conn* owned) : handle_(owned) {}

    static Connection open_one(const ConnectOptions& options, Deadline deadline);
    void begin_session(const ConnectOptions& options, Deadline deadline);
    void fire_triggers(const ConnectOptions& options, Deadline deadline);
    void prepare(const Statement& statement, Deadline deadline);
    int send_statement(const Statement& statement, const Params& params, Format format);
    void send(int sent, const char* what);
    std::vector<Result> receive(Deadline deadline, const char* what);
    void flush(Deadline deadline, const char* what);
    pg_result* next_result(Deadline deadline, const char* what);
    void sort_out(const DatabaseError& refused);
    void wait_socket(short events, Deadline deadline, const char* what);
    [[noreturn]] void fail(const char* what, const std::string& why);

    Handle<pg_conn, PQfinish> handle_;
    std::set<std::string, std::less<>> prepared_;
    bool pooled_ = false; ///< the next statement may meet another session
    std::string transaction_settings_;
};

} // namespace outbox::postgres
