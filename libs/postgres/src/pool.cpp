// Connections that several threads share, at most so many at once. They are opened when they are
// needed, and one that failed is not given out again.

#include "outbox/postgres/pool.hpp"

namespace outbox::postgres {

/// Waits until a place is free, then gives an idle connection or a new one. A failure to open gives the
/// place back.
Pool::Loan Pool::borrow(Deadline deadline) {
    const auto begin = SteadyClock::now();
    Loan loan = borrow_now(deadline);
    if (waited_) {
        waited_(SteadyClock::now() - begin);
    }
    return loan;
}

Pool::Loan Pool::borrow_now(Deadline deadline) {
    std::unique_lock lock(mutex_);
    // Connections are opened outside of the mutex: one slow server must not hold up who gives a
    // connection back.
    if (!returned_.wait_until(lock, deadline.time(), [this] { return on_loan_ < size_; })) {
        throw Error(Action::retry, "every database connection is busy");
    }
    ++on_loan_;
    if (!idle_.empty()) {
        Loan loan(*this, std::move(idle_.back()));
        idle_.pop_back();
        return loan;
    }
    lock.unlock();
    try {
        return {*this, Connection::open(options_, deadline)};
    } catch (...) {
        lock.lock();
        --on_loan_;
        returned_.notify_one();
        throw;
    }
}

void Pool::give_back(Connection connection) noexcept {
    const std::lock_guard lock(mutex_);
    --on_loan_;
    if (connection.usable()) {
        idle_.push_back(std::move(connection));
    } else {
        // Its neighbours met the same server: let each find out for itself, but start with a fresh one.
        idle_.clear();
    }
    returned_.notify_one();
}

} // namespace outbox::postgres
