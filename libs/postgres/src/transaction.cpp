// A transaction as round trips. Statements are collected and sent together (libpq's pipeline mode) as
// long as nobody needs their answers; a claim of a shard costs two round trips so, not six. Two rules
// hold: an answer that may change what is committed is read before COMMIT is sent, and an answer to
// COMMIT that was lost is never taken for a failure, because the rows may be there.

#include "outbox/postgres/transaction.hpp"

#include <algorithm>
#include <utility>

namespace outbox::postgres {
namespace {

constexpr Statement begin_statement{"outbox_begin", "BEGIN"};
constexpr Statement commit_statement{"outbox_commit", "COMMIT"};

/// A transaction that failed before answers COMMIT with ROLLBACK, and without an error.
void require_commit(std::string_view answer) {
    if (answer != "COMMIT") {
        throw DatabaseError("40000", "COMMIT was turned into ROLLBACK by an earlier error");
    }
}

} // namespace

Transaction::Transaction(Connection& connection, Deadline deadline, Lazy)
    : connection_(connection),
      deadline_(deadline),
      open_(false) {
    add(begin_statement, {}, Answer::with_commit);
}

Transaction::Transaction(Connection& connection, Deadline deadline, const std::string& begin)
    : connection_(connection),
      deadline_(deadline) {
    // When the BEGIN with its statements fails half-way, the destructor will not run: roll back
    // here.
    try {
        begun_ = connection_.script(begin + connection_.transaction_settings(), deadline_);
    } catch (...) {
        rollback();
        throw;
    }
}

void Transaction::add(const Statement& statement, Params params, Answer answer,
                      std::function<void(Result)> then, Format format) {
    calls_.push_back({statement, std::move(params), format});
    added_.push_back({answer, std::move(then)});
}

/// What is called here may add more statements, which the next round sends.
void Transaction::flush() {
    while (!calls_.empty()) {
        const auto calls = std::exchange(calls_, {});
        const auto added = std::exchange(added_, {});
        open_ = true;
        auto results = connection_.run_all(calls, deadline_);
        for (std::size_t i = 0; i < added.size(); ++i) {
            if (added[i].then) {
                added[i].then(std::move(results[i]));
            }
        }
    }
}

/// Rounds until no answer is outstanding that could still throw: only then is COMMIT on its way.
void Transaction::commit() {
    while (std::any_of(added_.begin(), added_.end(),
                       [](const Added& added) { return added.answer == Answer::before_commit; })) {
        flush();
    }
    const auto added = std::exchange(added_, {});
    auto calls = std::exchange(calls_, {});
    open_ = true;
    std::vector<Result> results;
    try {
        if (calls.empty()) {
            results = connection_.script("COMMIT", deadline_);
        } else {
            calls.push_back({commit_statement});
            results = connection_.run_all(calls, deadline_);
        }
        require_commit(results.back().command());
    } catch (const DatabaseError& error) {
        // Without an answer nobody knows. A refusal that did come, on a session that lives, is
        // a plain failure.
        if (!connection_.usable()) {
            open_ = false;
            throw CommitInDoubt(error.what());
        }
        throw;
    }
    open_ = false;
    for (std::size_t i = 0; i < added.size(); ++i) {
        if (added[i].then) {
            added[i].then(std::move(results[i]));
        }
    }
}

Transaction::~Transaction() {
    if (open_) {
        rollback();
    }
}

/// Never throws: what cannot be rolled back is ended with its session, which has the same effect.
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
