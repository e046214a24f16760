#pragma once

#include <outbox/postgres/connection.hpp>

#include <string_view>

namespace outbox::postgres {

/// BEGIN ... COMMIT. Leaving without commit() rolls back; the destructor never throws.
class Transaction {
public:
    /// @param begin  "BEGIN", or BEGIN with more statements in the same round trip.
    Transaction(Connection& connection, Deadline deadline, const std::string& begin = "BEGIN");
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();

    Result run(const Statement& statement, const Params& params, Format format = Format::text) {
        return connection_.run(statement, params, deadline_, format);
    }
    Result query(const std::string& sql, const Params& params = {}) {
        return connection_.query(sql, params, deadline_);
    }
    /// Results of the statements that came with BEGIN, BEGIN's own first.
    [[nodiscard]] const std::vector<Result>& begun() const noexcept { return begun_; }

    /// @throws CommitInDoubt when COMMIT was sent and its answer lost; DatabaseError when it was refused.
    void commit();

private:
    void rollback() noexcept;

    Connection& connection_;
    Deadline deadline_;
    std::vector<Result> begun_;
    bool open_ = true;
};

} // namespace outbox::postgres
