// outbox-bench-latency RATE SECONDS: how long after its COMMIT does a read_committed consumer see an event?
// Writes single events at a steady rate and consumes their topic, DB_NAME, in one process: one clock, and the
// moment just before each COMMIT is known exactly. DB_* and KAFKA_BROKERS say where; a relay must be running.
#include "consumer.hpp"

#include <outbox/core/settings.hpp>
#include <outbox/core/uuid.hpp>
#include <outbox/postgres/options.hpp>
#include <outbox/postgres/transaction.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace outbox;

namespace {

constexpr std::chrono::seconds warm_up{3};
constexpr std::chrono::seconds patience{30};
constexpr std::int64_t keys = 1'000;

constexpr postgres::Statement insert{
    "insert", "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic)"
              " VALUES ($1, 'bench', 'key-' || $2, 'bench.written', $3, $4)"};

/// Commits that the consumer has not seen. Thread-safe.
class Commits {
public:
    void add(const Uuid& id) {
        const std::lock_guard lock(mutex_);
        open_[id.to_string()] = SteadyClock::now();
    }
    /// Takes one out. @return when it was committed; nullopt for one of an earlier run.
    std::optional<SteadyClock::time_point> take(std::string_view id) {
        const std::lock_guard lock(mutex_);
        const auto found = open_.find(id);
        return found == open_.end() ? std::nullopt : std::optional(open_.extract(found).mapped());
    }
    [[nodiscard]] std::size_t open() {
        const std::lock_guard lock(mutex_);
        return open_.size();
    }

private:
    std::mutex mutex_;
    std::map<std::string, SteadyClock::time_point, std::less<>> open_;
};

void write_one(postgres::Connection& connection, const std::string& topic, std::int64_t key,
               Commits& commits) {
    const std::string data = fmt::format(R"({{"key": {}, "text": "{:x^270}"}})", key, ""); // about 300 bytes
    const Uuid id = Uuid::time_ordered();
    postgres::Transaction transaction(connection, Deadline::in(patience));
    transaction.run(insert, {id, std::to_string(key), data, topic});
    commits.add(id);
    transaction.commit();
}

/// Every `every` one event, however long the last one took.
void write_all(const postgres::ConnectOptions& options, std::chrono::nanoseconds every,
               SteadyClock::time_point start, SteadyClock::time_point end, Commits& commits) {
    auto connection = postgres::Connection::open(options, Deadline::in(patience));
    std::int64_t n = 0;
    for (auto due = start; due < end; due += every) {
        std::this_thread::sleep_until(due);
        write_one(connection, options.database, ++n % keys, commits);
    }
}

/// Consumes until the writers are done and everything has come. @return how long each event took, sorted.
std::vector<double> consume(bench::Consumer& consumer, Commits& commits, const std::atomic<bool>& writing,
                            SteadyClock::time_point measured_from) {
    std::vector<double> took;
    auto limit = Deadline::in(patience);
    while (writing || commits.open() > 0) {
        limit = writing ? Deadline::in(patience) : limit;
        if (limit.passed()) {
            throw std::runtime_error(fmt::format("{} events did not come", commits.open()));
        }
        consumer.poll([&](std::string_view id) {
            const auto seen = SteadyClock::now();
            const auto committed = commits.take(id);
            if (committed && *committed >= measured_from) {
                took.push_back(std::chrono::duration<double, std::milli>(seen - *committed).count());
            }
        });
    }
    std::sort(took.begin(), took.end());
    return took;
}

std::vector<double> measure(const Settings& settings, double rate, std::chrono::seconds span) {
    constexpr int writers = 2;
    const auto options = postgres::options_from(settings, "outbox-bench-latency");
    Commits commits;
    auto first = postgres::Connection::open(options, Deadline::in(patience));
    write_one(first, options.database, 0, commits); // makes the relay make the topic
    bench::Consumer consumer(settings.text("KAFKA_BROKERS"), options.database, Deadline::in(patience));

    const auto every = std::chrono::nanoseconds(std::llround(1e9 * writers / rate));
    const auto start = SteadyClock::now();
    std::atomic<bool> writing = true;
    std::jthread all([&] {
        {
            std::vector<std::jthread> threads;
            threads.reserve(writers);
            for (int i = 0; i < writers; ++i) {
                threads.emplace_back([&, i] {
                    write_all(options, every, start + every / writers * i, start + warm_up + span, commits);
                });
            }
        }
        writing = false;
    });
    return consume(consumer, commits, writing, start + warm_up);
}

double percentile(const std::vector<double>& sorted, double share) {
    return sorted.at(static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1)));
}

} // namespace

int main(int argc, char** argv) {
    try {
        const double rate = argc > 1 ? std::stod(argv[1]) : 400;
        const std::chrono::seconds span(argc > 2 ? std::stol(argv[2]) : 15);
        const Settings settings = Settings::load(Program::relay, {}, [](const char* name) -> const char* {
            return std::getenv(name);
        }); // NOLINT(concurrency-mt-unsafe)
        const auto took = measure(settings, rate, span);
        fmt::print("{} events: p50 {:.1f} ms, p99 {:.1f} ms, max {:.1f} ms\n", took.size(),
                   percentile(took, 0.5), percentile(took, 0.99), took.back());
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "outbox-bench-latency: {}\n", error.what());
        return 1;
    }
}
