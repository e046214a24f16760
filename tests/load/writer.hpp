#pragma once

#include "events.hpp"
#include "options.hpp"

#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace load {

/// Where all writers note what was acknowledged. Thread-safe.
class Acknowledged {
public:
    explicit Acknowledged(const std::string& file);
    void add(const std::vector<Event>& events);
    void add_rolled_back(std::uint64_t events) { rolled_back_ += events; }

    [[nodiscard]] std::uint64_t events() const { return events_; }
    [[nodiscard]] std::uint64_t rolled_back() const { return rolled_back_; }

private:
    std::mutex mutex_;
    std::optional<std::ofstream> file_;
    std::atomic<std::uint64_t> events_ = 0;
    std::atomic<std::uint64_t> rolled_back_ = 0;
};

/// One connection that inserts batch after batch. A lost connection is made anew; whether the batch it was
/// lost in is there, the table says.
class Writer {
public:
    Writer(const Options& options, std::uint64_t number, std::int64_t run, Acknowledged& acknowledged);

    /// Returns when `events` are committed. @throws std::runtime_error when the database refuses, or is away
    /// too long.
    void write(std::uint64_t events);

private:
    struct Finish {
        void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
    };
    struct Clear {
        void operator()(PGresult* result) const noexcept { PQclear(result); }
    };
    using Result = std::unique_ptr<PGresult, Clear>;
    struct Gone {}; ///< thrown when the connection is lost

    void commit(const std::vector<Event>& events);
    void roll_back(const std::vector<Event>& events);
    void insert(const std::vector<Event>& events);
    void copy(const std::vector<Event>& events);
    void connect(std::chrono::seconds patience);
    bool try_connect();
    [[nodiscard]] bool there(const std::vector<Event>& events);
    Result run(const char* sql, const std::vector<std::string>& values = {});
    void verify(const PGresult* result);

    const Options& options_;
    std::int64_t lock_;
    Acknowledged& acknowledged_;
    Events events_;
    std::mt19937_64 random_{std::random_device{}()};
    std::unique_ptr<PGconn, Finish> connection_;
};

} // namespace load
