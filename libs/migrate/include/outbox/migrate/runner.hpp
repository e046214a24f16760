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

/// Brings one database to a version. What a command changes is one transaction, with its lines of history; a
/// session's advisory lock keeps a second runner waiting. Not thread-safe. Errors are outbox::Error, whose
/// message says what to do; then nothing was changed.
class Runner {
public:
    /// Hears one line for each thing done or waited for.
    using Progress = std::function<void(std::string_view)>;

    /// @param files     of both sets, in the order of versions; checksums are filled in when they
    ///   are needed
    Runner(postgres::ConnectOptions options, std::vector<Migration> files, Progress progress,
           Patience patience = {});

    /// Applies what is missing; creates the database first when it is missing too, and drops it again when it
    /// fails. The example is left out where its names are taken, or, unless it is named, where the outbox
    /// stands without it.
    /// @param processing  "resend" or "sent": what PROCESSING rows of an adopted table mean
    /// @param convert  columns of an adopted table that have another type are converted, where nothing is
    /// lost
    /// @throws CommitInDoubt when the connection was lost during the COMMIT.
    void up(const std::optional<std::string>& processing, const Sets& sets = {}, bool convert = false);

    /// Takes back the newest `count` steps. @param yes  also where rows are lost
    void down(int count, const Sets& sets = {}, bool yes = false);

    /// @throws Error when this table could not be served. Nothing is changed, and no outbox needs to be
    /// there.
    void check(const Mapping& mapping, const MapOptions& options);
    /// Serves a table of the user's own: its new rows become events. What is done already is not done again.
    void map(const Mapping& mapping, const MapOptions& options);
    /// Serves it no more. @param table  as in SQL: orders.outbox
    void unmap(const std::string& table);

    /// A table of every step, and the tables that are served. @throws Error when the database is missing.
    std::string status(const Sets& sets = {});

    /// Tables that are served, and whose rows do not become events any more: a line each, which says what to
    /// type.
    std::vector<std::string> unserved();

    /// The newest applied version, 0 for none. @throws Error when the database is missing.
    int version(const Sets& sets = {});

private:
    void take_lock(postgres::Connection& connection);
    void fill_checksums(postgres::Connection& connection);
    void bring_up(postgres::Connection& connection, const std::optional<std::string>& processing,
                  const Sets& sets, bool convert);

    postgres::ConnectOptions options_;
    std::vector<Migration> files_;
    Progress progress_;
    Patience patience_;
};

} // namespace outbox::migrations
