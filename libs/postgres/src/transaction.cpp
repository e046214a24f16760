#include "outbox/postgres/transaction.hpp"

#include <algorithm>
#include <utility>

namespace outbox::postgres {
namespace {

constexpr Statement begin_statement{"outbox_begin", "BEGIN"};
constexpr Statement commit_statement{"outbox_commit", "COMMIT"};

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
