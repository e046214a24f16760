#pragma once

#include <outbox/postgres/connection.hpp>

#include <functional>
#include <string_view>
#include <vector>

namespace outbox::postgres {

/// When the answer to a statement must be known.
enum class Answer {
    before_commit, ///< COMMIT waits for it: what it says may change what is committed
    with_commit    ///< COMMIT may travel with it
};

/// BEGIN ... COMMIT. Leaving without commit() rolls back; the destructor never throws.
class Transaction {
public:
    /// @param begin  "BEGIN", or BEGIN with more statements in the same round trip.
    Transaction(Connection& connection, Deadline deadline, const std::string& begin = "BEGIN");
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();

    /// BEGIN travels with the first statements that are sent.
    static Transaction lazy(Connection& connection, Deadline deadline) {
        return Transaction(connection, deadline, Lazy());
    }

    /// Sends the statement together with the next that needs its answer, or with COMMIT.
    /// @param then  is given the result; may throw, or add more
    void add(const Statement& statement, Params params, Answer answer, std::function<void(Result)> then = {},
             Format format = Format::text);
    /// Sends what was added, and hands out the results.
    void flush();

    /// After what was added.
    Result run(const Statement& statement, const Params& params, Format format = Format::text) {
        flush();
        return connection_.run(statement, params, deadline_, format);
    }
    /// Runs text that no name stands for, after what was added: a statement that is made up as it
    /// is needed.
    Result query(const std::string& sql, const Params& params = {}) {
        flush();
        return connection_.query(sql, params, deadline_);
    }
    /// From now on what is asked has this long.
    void allow(Deadline deadline) noexcept { deadline_ = deadline; }

    /// Results of the statements that came with BEGIN, BEGIN's own first.
    [[nodiscard]] const std::vector<Result>& begun() const noexcept { return begun_; }

    /// @throws CommitInDoubt when COMMIT was sent and its answer lost; DatabaseError when it was refused.
    void commit();

private:
    struct Lazy {};
    struct Added {
        Answer answer;
        std::function<void(Result)> then;
    };

    Transaction(Connection& connection, Deadline deadline, Lazy);
    void rollback() noexcept;

    Connection& connection_;
    Deadline deadline_;
    std::vector<Call> calls_;  ///< added and not sent yet
    std::vector<Added> added_; ///< what is done with their results
    std::vector<Result> begun_;
    bool open_ = true;
};

} // namespace outbox::postgres
