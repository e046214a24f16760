#pragma once

#include <outbox/migrate/mapping.hpp>
#include <outbox/migrate/migration.hpp>
#include <outbox/migrate/plan.hpp>
#include <outbox/migrate/request.hpp>
#include <outbox/postgres/connection.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::migrations {

/// How long the blocking parts may take.
struct Patience {
    milliseconds connect{10'000};
    milliseconds lock{600'000};   ///< wait for another outbox-migrate
    milliseconds step{3'600'000}; ///< one file
    milliseconds lock_poll{100};  ///< between two tries for the lock
    milliseconds writers{60'000}; ///< wait for transactions that have written to a table
    milliseconds quiet{60'000};   ///< wait for what relays have in flight
    milliseconds slot{600'000};   ///< wait for Debezium
};

/// Brings one database to a version. Each file runs in one transaction with its line of history; a session's
/// advisory lock keeps a second runner waiting. Not thread-safe. Errors are outbox::Error, whose message says
/// what to do; nothing is left half done.
class Runner {
public:
    /// Hears one line for each thing done or waited for.
    using Progress = std::function<void(std::string_view)>;

    Runner(postgres::ConnectOptions options, std::vector<Migration> files, Progress progress,
           Patience patience = {});

    /// Applies what is missing; creates the database first when it is missing too.
    /// @param processing  "resend" or "sent": what PROCESSING rows of an adopted table mean
    /// @throws CommitInDoubt when the connection was lost during a COMMIT.
    void up(const std::optional<std::string>& processing);

    /// Takes back the newest `count` steps, or all there are.
    void down(int count);

    /// Serves a table of the user's own: its new rows become events. What is done already is not done again.
    void map(const Mapping& mapping, const MapOptions& options);
    /// Serves it no more. @param table  as in SQL: orders.outbox
    void unmap(const std::string& table);

    /// A table of every step, and the tables that are served. @throws Error when the database is missing.
    std::string status();

    /// The newest applied version, 0 for none. @throws Error when the database is missing.
    int version();

private:
    enum class Direction { up, down };

    void take_lock(postgres::Connection& connection);
    void fill_checksums(postgres::Connection& connection);
    void step(postgres::Connection& connection, const Migration& migration, Direction direction);
    void run_file(postgres::Connection& connection, const Migration& migration, Direction direction);

    postgres::ConnectOptions options_;
    std::vector<Migration> files_;
    Progress progress_;
    Patience patience_;
};

} // namespace outbox::migrations
