#include "fixture.hpp"

#include <fmt/format.h>

#include <optional>
#include <vector>

namespace outbox {
namespace {

using std::chrono::seconds;

// The sanitizers' own books are several times as large as the memory they watch.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr long mebibyte_in_kib = 4 * 1024;
#else
constexpr long mebibyte_in_kib = 1024;
#endif

/// One worker, two places in the queue, and a table lock that keeps the worker busy.
class HttpOverload : public HttpTest {
protected:
    HttpOverload()
        : HttpTest({{"SERVER_WORKERS", "1"}, {"SERVER_QUEUE", "2"}, {"SERVER_REQUEST_TIMEOUT", "3"}}) {}

    void lock_users() {
        holder.emplace(database.connect());
        holder->script("BEGIN; LOCK TABLE users", Deadline::in(seconds(30)));
    }
    void unlock_users() { holder->script("COMMIT", Deadline::in(seconds(30))); }
    std::int64_t waiting_for_the_lock() {
        return database.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                               " AND wait_event_type = 'Lock'");
    }

    std::optional<postgres::Connection> holder;
};

TEST_F(HttpOverload, OneRequestMoreThanTheQueueHoldsIs503AtOnce) {
    lock_users();
    std::vector<Client> clients;
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back(server.port());
        clients.back().send(request_text("POST", "/users", user_json(fmt::format("{}@example.com", i))));
        if (i == 0) {
            ASSERT_TRUE(wait_until([&] { return waiting_for_the_lock() == 1; }));
        }
    }
    EXPECT_EQ(ask("GET", "/livez").status, 200) << "does not need a worker";
    EXPECT_EQ(ask("GET", "/users/x").status, 503);
    EXPECT_EQ(ask("GET", "/users/x").headers.count("retry-after"), 1U);
    EXPECT_EQ(ask("GET", "/health").status, 200) << "busy is not ill";

    unlock_users();
    for (Client& client : clients) {
        EXPECT_EQ(client.read().status, 201);
    }
}

TEST_F(HttpOverload, TheDeadlineIncludesTheWaitForAWorker) {
    lock_users();
    const auto start = SteadyClock::now();
    in_parallel(3, [&](int i) {
        EXPECT_EQ(ask("POST", "/users", user_json(fmt::format("{}@example.com", i))).status, 503);
    });
    EXPECT_LT(SteadyClock::now() - start, seconds(5)) << "not three deadlines one after another";
    unlock_users();
    EXPECT_EQ(ask("POST", "/users", user_json("after@example.com")).status, 201);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 1) << "what was answered 503 was not done";
}

class HttpMemory : public HttpTest {
protected:
    // The address sanitizer holds back what is freed, 256 MB of it where nobody says less.
    HttpMemory() : HttpTest({{"ASAN_OPTIONS", "quarantine_size_mb=8"}}) {}

    void post(int clients, int requests, const std::string& tag) {
        in_parallel(clients, [&](int i) {
            Client client(server.port());
            for (int k = 0; k < requests; ++k) {
                // Answered by the workers, but without a row, so that the time goes into the server.
                const std::string body = k % 10 == 0
                                             ? user_json(fmt::format("{}.{}.{}@example.com", tag, i, k))
                                             : user_json("", std::string(2000, 'x'));
                const int status = client.ask("POST", "/users", body).status;
                EXPECT_EQ(status, k % 10 == 0 ? 201 : 422);
            }
        });
    }
};

TEST_F(HttpMemory, TwentyThousandRequestsLeaveTheMemoryFlat) {
    post(50, 40, "warm");
    const long before = server.resident_kib();
    post(50, 400, "run");
    EXPECT_LT(server.resident_kib() - before, 20 * mebibyte_in_kib)
        << before << " -> " << server.resident_kib() << " KiB";
}

TEST_F(HttpMemory, ConnectionsThatSayNothingCostLittleAndDoNotBlockOthers) {
    const long before = server.resident_kib();
    std::vector<Client> silent;
    for (int i = 0; i < 900; ++i) {
        silent.emplace_back(server.port());
        silent.back().send("POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{");
    }
    EXPECT_EQ(ask("POST", "/users", user_json("ada@example.com")).status, 201);
    EXPECT_LT(server.resident_kib() - before, 64 * mebibyte_in_kib);
}

TEST_F(HttpMemory, OneConnectionTooManyIsTold) {
    constexpr std::size_t most = 1024;
    std::vector<Client> held;
    held.reserve(most);
    while (held.size() < most) {
        held.emplace_back(server.port());
    }
    EXPECT_TRUE(wait_until([&] { return Client(server.port()).read().status == 503; }));
    held.clear();
    EXPECT_TRUE(wait_until([&] { return ask("GET", "/livez").status == 200; })) << "and there is room again";
}

} // namespace
} // namespace outbox
