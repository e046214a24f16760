#include "outbox/postgres/transaction.hpp"

namespace outbox::postgres {

Transaction::Transaction(Connection& connection, Deadline deadline, const std::string& begin)
    : connection_(connection),
      deadline_(deadline) {
    try {
        begun_ = connection_.script(begin, deadline_);
    } catch (...) {
        rollback();
        throw;
    }
}

void Transaction::commit() {
    open_ = false;
    try {
        const auto results = connection_.script("COMMIT", deadline_);
        if (results.empty() || results.back().command() != "COMMIT") {
            throw DatabaseError("40000", "COMMIT was turned into ROLLBACK by an earlier error");
        }
    } catch (const DatabaseError& error) {
        if (!connection_.usable()) {
            throw CommitInDoubt(error.what());
        }
        throw;
    }
}

Transaction::~Transaction() {
    if (open_) {
        rollback();
    }
}

void Transaction::rollback() noexcept {
    open_ = false;
    if (!connection_.usable()) {
        return;
    }
    try {
        connection_.script("ROLLBACK", Deadline::in(milliseconds(2'000)));
    } catch (const std::exception&) {
        connection_.close(); // the server rolls back when the connection ends
    }
}

} // namespace outbox::postgres
