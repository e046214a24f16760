#pragma once

#include <outbox/support/database.hpp>
#include <outbox/support/process.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace outbox::support {

/// A PostgreSQL of a program's own with a streaming replica, both on loopback; they end with this object.
/// DB_HOST and its like are set to the primary in this process: make it before other threads start.
class ReplicatedPostgres {
public:
    ReplicatedPostgres();
    ReplicatedPostgres(const ReplicatedPostgres&) = delete;
    ReplicatedPostgres& operator=(const ReplicatedPostgres&) = delete;
    ~ReplicatedPostgres();

    /// "127.0.0.1:port"
    [[nodiscard]] std::string replica() const { return "127.0.0.1:" + replica_.port; }
    /// A session with the replica.
    [[nodiscard]] postgres::Connection on_replica(const std::string& database) const;

    /// Without warning: sessions are cut off.
    void stop_replica();
    void start_replica();
    /// Until the replica shows all that is committed now.
    void wait_replayed() const;

private:
    struct Server {
        std::filesystem::path folder;
        std::string port;
        std::optional<Process> process;
    };

    void make_primary();
    void start(Server& server, const std::vector<std::string>& options) const;
    [[nodiscard]] bool answers(const Server& server) const;
    void run(const std::vector<std::string>& words) const;

    std::filesystem::path programs_; ///< initdb, postgres, pg_basebackup
    std::filesystem::path folder_;
    Server primary_;
    Server replica_;
};

} // namespace outbox::support
