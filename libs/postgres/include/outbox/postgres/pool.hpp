#pragma once

#include <outbox/postgres/connection.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace outbox::postgres {

/// A bounded number of connections, opened when first needed and kept. Thread-safe.
class Pool {
public:
    /// A connection on loan; goes back on destruction, or is thrown away when it is not usable any more.
    class Loan {
    public:
        Loan(Pool& pool, Connection connection) : pool_(&pool), connection_(std::move(connection)) {}
        Loan(Loan&& other) noexcept
            : pool_(std::exchange(other.pool_, nullptr)),
              connection_(std::move(other.connection_)) {}
        Loan& operator=(Loan&&) = delete;
        ~Loan() {
            if (pool_ != nullptr) {
                pool_->give_back(std::move(connection_));
            }
        }
        Connection& operator*() noexcept { return connection_; }
        Connection* operator->() noexcept { return &connection_; }

    private:
        Pool* pool_;
        Connection connection_;
    };

    /// Is told how long somebody waited for a connection, a new login included. From any thread; must not
    /// throw.
    using Waited = std::function<void(SteadyClock::duration)>;

    /// @param size    connections at most; none is opened before it is asked for
    /// @param waited  may be empty
    Pool(ConnectOptions options, std::size_t size, Waited waited = {})
        : options_(std::move(options)),
          size_(size),
          waited_(std::move(waited)) {}

    /// @throws Error(retry) when every connection is still on loan at the deadline; DatabaseError when none
    /// can be opened.
    Loan borrow(Deadline deadline);

private:
    Loan borrow_now(Deadline deadline);
    /// Takes a connection back, or closes it and its idle neighbours when it is broken.
    void give_back(Connection connection) noexcept;

    const ConnectOptions options_;
    const std::size_t size_;
    const Waited waited_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::size_t on_loan_ = 0;
    std::vector<Connection> idle_;
};

} // namespace outbox::postgres
