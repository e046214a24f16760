#include "fixture.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

namespace outbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A connection of a client that sends what it likes and reads nothing.
class Deaf {
public:
    explicit Deaf(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const int smallest = 1; // of what the kernel may read in its place
        setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    Deaf(Deaf&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
    Deaf(const Deaf&) = delete;
    Deaf& operator=(const Deaf&) = delete;
    ~Deaf() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }

    /// Sends it again and again until the server takes no more, at most `times` times.
    void flood(const std::string& text, int times) const {
        for (int i = 0; i < times; ++i) {
            if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) <= 0) {
                return;
            }
        }
    }
    void say(const std::string& text) const { flood(text, 1); }
    /// Ends it with a reset.
    void reset() {
        const linger at_once{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(std::exchange(fd_, -1));
    }
    [[nodiscard]] bool connected() const noexcept { return connected_; }

private:
    int fd_;
    bool connected_ = false;
};

/// Clients that mean no good, and one that does.
class HttpHostileClients : public HttpTest {
protected:
    HttpHostileClients() : HttpTest({{"SERVER_REQUEST_TIMEOUT", "2"}}) {}
    explicit HttpHostileClients(const std::map<std::string, std::string>& settings) : HttpTest(settings) {}

    Deaf& newcomer() { return clients.emplace_back(server.port()); }
    void expect_service() const {
        const auto start = SteadyClock::now();
        EXPECT_EQ(ask("GET", "/livez").status, 200);
        EXPECT_LT(SteadyClock::now() - start, seconds(2));
    }
    void expect_stop_in_time() {
        server.process().signal(SIGTERM);
        const auto start = SteadyClock::now();
        EXPECT_EQ(server.process().wait(Deadline::in(seconds(10))).exit_code, 0);
        EXPECT_LT(SteadyClock::now() - start, seconds(3) + milliseconds(1'500) * support::slowness)
            << "the request's time and a second";
    }
    /// Of the server, in seconds.
    [[nodiscard]] double processor_time() const {
        std::ifstream file(fmt::format("/proc/{}/stat", server_id()));
        std::string word;
        double ticks = 0;
        for (int i = 1; i <= 15 && file >> word; ++i) {
            ticks += i >= 14 ? std::stod(word) : 0;
        }
        return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
    }
    [[nodiscard]] int server_id() const { return const_cast<TestServer&>(server).process().id(); }

    std::vector<Deaf> clients;
};

const std::string expecting =
    "POST /users HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

TEST_F(HttpHostileClients, AClientThatReadsNothingHoldsUpNobodyNorTheEnd) {
    for (int i = 0; i < 20; ++i) {
        newcomer().flood(request_text("GET", "/openapi.yaml"), 5'000);
        // NOLINTNEXTLINE(performance-inefficient-string-concatenation))
        newcomer().flood(expecting + "12345" + expecting + "{}   ", 5'000);
        newcomer().flood(request_text("POST", "/users", user_json(fmt::format("{}@x", i))), 5'000);
        newcomer().flood("garbage\r\n\r\n", 5'000);
    }
    expect_service();
    EXPECT_EQ(ask("POST", "/users", user_json("good@example.com")).status, 201);
    expect_stop_in_time();
}

TEST_F(HttpHostileClients, RequestsThatNeverEndHoldUpNobodyNorTheEnd) {
    for (int i = 0; i < 50; ++i) {
        for (const std::string begin :
             {"", "P", "POST /users HT", "POST /users HTTP/1.1\r\nHost: x\r\nX: ",
              "POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{",
              "POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"}) {
            newcomer().say(begin);
        }
        newcomer().say(expecting);
    }
    expect_service();
    EXPECT_EQ(ask("POST", "/users", user_json("good@example.com")).status, 201);
    expect_stop_in_time();
}

TEST_F(HttpHostileClients, ClientsThatResetAtEveryMomentLeaveNothingBehind) {
    const std::string whole = expecting + "{}   " + request_text("GET", "/openapi.yaml");
    for (std::size_t length = 0; length <= whole.size(); length += 3) {
        Deaf client(server.port());
        client.say(whole.substr(0, length));
        client.reset();
    }
    expect_service();
    expect_stop_in_time();
}

TEST_F(HttpHostileClients, EightMebibytesOfEmptyObjectsAreReadInNoTime) {
    std::string body = R"({"email":"a@b","name":"x","rest":[{})";
    while (body.size() < 1'048'000) {
        body += ",{}";
    }
    body += "]}";
    const double before = processor_time();
    in_parallel(8, [&](int) {
        EXPECT_NE(ask("PUT", "/users/018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f", body).status, 0);
    });
    EXPECT_LT(processor_time() - before, 3.0 * support::slowness);
    expect_service();
}

TEST_F(HttpHostileClients, AfterDescriptorsRanOutConnectionsAreTakenAgain) {
    expect_service();
    rlimit limit{};
    ASSERT_EQ(prlimit(server_id(), RLIMIT_NOFILE, nullptr, &limit), 0);
    const auto open_files = static_cast<rlim_t>(
        std::distance(std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", server_id())),
                      std::filesystem::directory_iterator()));
    const rlimit few{open_files + 10, limit.rlim_max};
    ASSERT_EQ(prlimit(server_id(), RLIMIT_NOFILE, &few, nullptr), 0);
    for (int i = 0; i < 40; ++i) {
        newcomer().say("GET / HTTP/1.1\r\n");
    }
    ASSERT_TRUE(
        server.process().wait_for_text("no connections are taken for a moment", Deadline::in(seconds(10))));
    const double before = processor_time();
    std::this_thread::sleep_for(seconds(1));
    EXPECT_LT(processor_time() - before, 0.3 * support::slowness) << "it waits, it does not spin";
    clients.clear();
    EXPECT_TRUE(wait_until([&] { return ask("GET", "/livez").status == 200; }));
    ASSERT_EQ(prlimit(server_id(), RLIMIT_NOFILE, &limit, nullptr), 0);
    EXPECT_EQ(ask("POST", "/users", user_json("good@example.com")).status, 201);
}

class HttpLimits : public HttpHostileClients {
protected:
    HttpLimits()
        : HttpHostileClients({{"SERVER_MAX_CONNECTIONS", "400"},
                              {"SERVER_MAX_HEADER", "2048"},
                              {"SERVER_MAX_BODY", "600000"},
                              {"SERVER_MAX_BODIES", "6000000"},
                              {"SERVER_HEADER_TIMEOUT", "1"},
                              {"SERVER_BODY_TIMEOUT", "4"},
                              {"SERVER_IDLE_TIMEOUT", "2"}}) {}

    std::string of_size(std::size_t bytes) const {
        return request_text("POST", "/users", user_json("", std::string(bytes - 25, 'x')));
    }
};

TEST_F(HttpLimits, UnfinishedBodiesShareTheirMemoryAndSmallRequestsGoOn) {
    const long before = server.resident_kib();
    const std::string unfinished = of_size(500'000);
    for (int i = 0; i < 200; ++i) {
        newcomer().flood(unfinished.substr(0, 499'000), 1);
    }
    ASSERT_TRUE(wait_until([&] {
        return server.ask("POST", "/users", user_json("", std::string(400'000, 'x'))).status == 503;
    }));
    EXPECT_EQ(ask("POST", "/users", user_json("good@example.com")).status, 201);
    EXPECT_LT(server.resident_kib() - before, 32 * 1024 * support::slowness);
    EXPECT_TRUE(wait_until([&] {
        return ask("POST", "/users", user_json("", std::string(400'000, 'x'))).status == 422;
    })) << "their time is over, and there is room again";
}

TEST_F(HttpLimits, EachLimitIsTheSettings) {
    EXPECT_EQ(ask("GET", "/" + std::string(1'100, 'a')).status, 414);
    EXPECT_EQ(ask("GET", "/livez", "", {{"X", std::string(2'048, 'a')}}).status, 431);
    EXPECT_EQ(ask("POST", "/users", user_json("", std::string(600'000, 'x'))).status, 413);

    const auto waited_for_408 = [&](const std::string& begin) {
        const auto start = SteadyClock::now();
        Client client(server.port());
        client.send(begin);
        EXPECT_EQ(client.read().status, 408);
        return SteadyClock::now() - start;
    };
    EXPECT_LT(waited_for_408("GET / HTTP/1.1\r\n"), seconds(3));
    EXPECT_GE(waited_for_408("POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{"), seconds(4));
    const auto start = SteadyClock::now();
    EXPECT_TRUE(Client(server.port()).closed_by_server(Deadline::in(seconds(10))));
    EXPECT_GE(SteadyClock::now() - start, seconds(2));
}

TEST_F(HttpLimits, AByteNowAndThenDoesNotKeepARequestAlive) {
    Client slow(server.port());
    const auto start = SteadyClock::now();
    while (slow.send("A") && SteadyClock::now() - start < seconds(8)) {
        std::this_thread::sleep_for(milliseconds(100));
    }
    EXPECT_LT(SteadyClock::now() - start, seconds(6)) << "the header's second, and two for the farewell";
}

TEST_F(HttpLimits, SmallerThanOneBodyTheMemoryForAllIsRefused) {
    const auto outcome = support::run(
        {{support::program("outbox-server"), "--server-max-bodies", "1000", "--server-max-body", "2000"},
         {}});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(
        outcome.errors,
        "outbox-server: SERVER_MAX_BODIES=1000 is not allowed: it must be at least SERVER_MAX_BODY=2000\n");
}

TEST_F(HttpHostileClients, AnOutageDoesNotFillTheLog) {
    database.query("ALTER TABLE users RENAME TO gone");
    in_parallel(8, [&](int i) {
        Client client(server.port());
        for (int k = 0; k < 100; ++k) {
            EXPECT_EQ(client.ask("GET", "/users/018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f").status, 503) << i;
        }
    });
    const std::string log = server.process().errors();
    std::size_t lines = 0;
    for (auto at = log.find("request failed"); at != std::string::npos;
         at = log.find("request failed", at + 1)) {
        ++lines;
    }
    EXPECT_GE(lines, 1U);
    EXPECT_LT(lines, 400U) << "of 800";
}

} // namespace
} // namespace outbox
