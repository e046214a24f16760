#pragma once

#include "judge.hpp"

#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace checker {

struct Login {
    std::string host;
    std::string port;
    std::string user;
    std::string password;
    std::string name;
};

/// The table as PostgreSQL has it. One connection; not thread-safe. Every call throws std::runtime_error when
/// it fails.
class Database {
public:
    explicit Database(const Login& login);

    struct Unsent {
        std::uint64_t fresh = 0; ///< NEW, or NULL
        std::uint64_t processing = 0;
    };
    [[nodiscard]] Unsent unsent();

    [[nodiscard]] std::vector<std::string> topics();

    /// Streams the rows of these topics. `order_field`: a number inside event_data to order by; empty: `seq`.
    void read_rows(const std::vector<std::string>& topics, const std::string& order_field,
                   const std::function<void(const Row&)>& take);

    /// Those of the ids that have a row with one of the topics by now.
    [[nodiscard]] std::vector<EventId> known(const std::vector<EventId>& ids,
                                             const std::vector<std::string>& topics);

    /// Those whose value is not equal to the row's event_data as JSON.
    [[nodiscard]] std::vector<Judge::Doubt> unequal(const std::vector<Judge::Doubt>& doubts);

private:
    struct Finish {
        void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
    };
    struct Clear {
        void operator()(PGresult* result) const noexcept { PQclear(result); }
    };
    using Result = std::unique_ptr<PGresult, Clear>;

    Result run(const std::string& sql, const std::vector<std::string>& values = {});
    Result try_run(const std::string& sql, const std::vector<std::string>& values);
    void unequal_of(const std::vector<Judge::Doubt>& doubts, std::size_t begin, std::size_t end,
                    std::vector<Judge::Doubt>& out);
    [[noreturn]] void fail(const std::string& doing);
    std::string literal(const std::string& text);

    std::unique_ptr<PGconn, Finish> connection_;
};

/// Polls until nothing is unsent or the time is over. A database that is away meanwhile is asked again.
Database::Unsent wait_until_all_sent(const Login& login, std::chrono::milliseconds patience);

} // namespace checker
