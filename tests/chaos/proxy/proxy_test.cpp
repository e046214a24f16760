// Each fault, between a client and a server that answers whatever it is asked.

#include "frames.hpp"
#include "proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>

namespace outbox::chaos {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Kind = Fault::Kind;

/// A commit of transactional id "tx-<n>", with correlation id n.
std::string end_txn(int n) {
    return request_frame(26, 1, n, text("tx-" + std::to_string(n)) + producer + '\1');
}

/// A connection that is written to and read from with deadlines.
class Talk {
public:
    explicit Talk(Fd socket) : channel_(std::move(socket)) {}

    void say(const std::string& bytes) {
        channel_.out += bytes;
        while (channel_.open() && !channel_.out.empty()) {
            wait(POLLOUT, 1s);
        }
    }
    /// Something to read; empty when the other end keeps quiet.
    std::string hear(std::chrono::milliseconds patience) {
        wait(POLLIN, patience);
        return std::exchange(channel_.in, {});
    }
    bool closed(std::chrono::milliseconds patience = 2s) {
        hear(patience);
        return !channel_.open();
    }

private:
    void wait(short events, std::chrono::milliseconds patience) {
        pollfd entry{channel_.fd(), events, 0};
        if (poll(&entry, 1, static_cast<int>(patience.count())) > 0) {
            channel_.transfer(entry.revents);
        }
    }
    Channel channel_;
};

/// Answers every request with success, and remembers it.
class Server {
public:
    Server() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

    [[nodiscard]] std::uint16_t port() const { return port_of(listener_); }
    [[nodiscard]] std::vector<std::string> asked() const {
        const std::lock_guard lock(mutex_);
        return asked_;
    }

private:
    void run(const std::stop_token& stop) {
        std::list<Channel> clients;
        while (!stop.stop_requested()) {
            pollfd entry{-1, 0, 0};
            poll(&entry, 1, 1);
            if (Fd client = accept_client(listener_); client.open()) {
                clients.emplace_back(std::move(client));
            }
            for (Channel& client : clients) {
                pollfd ready{client.fd(), POLLIN, 0};
                if (client.open() && poll(&ready, 1, 0) > 0) {
                    client.transfer(ready.revents);
                    answer(client);
                }
            }
        }
    }
    void answer(Channel& client) {
        const auto protocol = kafka_protocol({});
        while (const auto frame = protocol->next_request(client.in)) {
            const std::lock_guard lock(mutex_);
            asked_.push_back(frame->request.text);
            client.out += framed(int32(frame->request.correlation) + int32(0) + int16(0));
        }
        client.flush();
    }

    Fd listener_ = listen_on_loopback();
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;
    std::jthread thread_;
};

class Faults : public testing::Test {
protected:
    Server server;
    std::unique_ptr<FaultProxy> proxy = std::move(FaultProxy::kafka({server.port()}).front());
    Talk client{connect_to(proxy->port())};

    static Deadline soon() { return Deadline::in(5s); }
    /// For the second of the requests.
    RuleId inject(Fault fault) { return proxy->inject({.match = {"EndTxn"}, .fault = fault, .nth = 2}); }
    /// Correlation id and error of the next answer; {0, 0} when none comes.
    std::pair<int, int> answer(std::chrono::milliseconds patience = 2s) {
        const auto bytes = client.hear(patience);
        return bytes.size() == 14 ? std::pair<int, int>{bytes[7], bytes[13]} : std::pair<int, int>{0, 0};
    }
    std::pair<int, int> ask(int n) {
        client.say(end_txn(n));
        return answer();
    }
    const std::pair<int, int> silence{0, 0};
    static std::pair<int, int> success(int n) { return {n, 0}; }
};

constexpr auto quiet = 50ms; ///< long for a loopback; only where an answer must not come

TEST_F(Faults, NoneChangesNothing) {
    const auto rule = inject({});
    EXPECT_EQ(ask(1), success(1));
    EXPECT_EQ(ask(2), success(2));
    EXPECT_EQ(proxy->wait_hit(rule, soon()).request.text, "tx-2 commit");
}

TEST_F(Faults, AStalledConnectionGoesOnWhenTheRuleIsLifted) {
    const auto rule = inject({Kind::stall});
    EXPECT_EQ(ask(1), success(1));
    client.say(end_txn(2) + end_txn(3));
    proxy->wait_hit(rule, soon());
    EXPECT_EQ(answer(quiet), silence);
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit"));
    proxy->lift(rule);
    proxy->wait_answer(proxy->wait_hit(rule, soon()).number + 1, soon());
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-2 commit", "tx-3 commit"));
}

TEST_F(Faults, AStalledRequestArrivesThoughItsClientHasEnded) {
    const auto rule = inject({Kind::stall});
    EXPECT_EQ(ask(1), success(1));
    client.say(end_txn(2));
    const auto stalled = proxy->wait_hit(rule, soon()).number;
    client = Talk(connect_to(proxy->port()));
    EXPECT_EQ(ask(3), success(3)) << "the end of the first connection was seen before";
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-3 commit"));
    proxy->lift(rule);
    EXPECT_TRUE(proxy->wait_answer(stalled, soon()).answered);
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-3 commit", "tx-2 commit"));
}

TEST_F(Faults, AStallEndsByItself) {
    inject({Kind::stall, quiet});
    ask(1);
    const auto start = SteadyClock::now();
    EXPECT_EQ(ask(2), success(2));
    EXPECT_GE(SteadyClock::now() - start, quiet);
}

TEST_F(Faults, AHeldRequestIsSentLater) {
    const auto rule = inject({Kind::hold});
    ask(1);
    client.say(end_txn(2));
    EXPECT_EQ(ask(3), success(3)) << "the connection goes on";
    const auto stray = proxy->send_kept(rule, soon());
    EXPECT_TRUE(stray.stray && stray.answered);
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-3 commit", "tx-2 commit"));
    EXPECT_EQ(answer(quiet), silence) << "its answer is not for the client";
}

TEST_F(Faults, AHeldRequestMayLoseItsConnection) {
    const auto rule = inject({Kind::hold_and_cut});
    ask(1);
    client.say(end_txn(2));
    EXPECT_TRUE(client.closed());
    proxy->send_kept(rule, soon(), flip_end_txn);
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-2 abort"));
}

TEST_F(Faults, ACopyIsSentLater) {
    const auto rule = inject({Kind::copy});
    ask(1);
    EXPECT_EQ(ask(2), success(2));
    EXPECT_EQ(ask(3), success(3));
    proxy->send_kept(rule, soon());
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-2 commit", "tx-3 commit", "tx-2 commit"));
    EXPECT_THROW(proxy->send_kept(rule, soon()), std::logic_error) << "once";
}

TEST_F(Faults, ADuplicateArrivesBeforeTheClientHearsOfIt) {
    inject({Kind::duplicate});
    ask(1);
    EXPECT_EQ(ask(2), success(2));
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-2 commit", "tx-2 commit"));
    EXPECT_EQ(ask(3), success(3));
}

TEST_F(Faults, ADroppedRequestDoesNotArrive) {
    inject({Kind::drop_request});
    ask(1);
    client.say(end_txn(2));
    EXPECT_EQ(ask(3), success(3));
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-3 commit"));
}

TEST_F(Faults, ADroppedAnswerDoesNotArrive) {
    inject({Kind::drop_answer});
    ask(1);
    client.say(end_txn(2));
    EXPECT_EQ(ask(3), success(3));
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-2 commit", "tx-3 commit"));
}

TEST_F(Faults, AConnectionIsCutBeforeTheRequest) {
    inject({Kind::cut_before});
    ask(1);
    client.say(end_txn(2));
    EXPECT_TRUE(client.closed());
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit"));
}

TEST_F(Faults, AConnectionIsCutAfterTheRequest) {
    inject({Kind::cut_after});
    ask(1);
    client.say(end_txn(2));
    EXPECT_TRUE(client.closed());
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit", "tx-2 commit"));
}

TEST_F(Faults, AnAnswerCarriesAnotherError) {
    const auto rule = inject({.kind = Kind::replace_error, .error = 120});
    ask(1);
    EXPECT_EQ(ask(2), (std::pair<int, int>{2, 120}));
    EXPECT_EQ(proxy->wait_hit(rule, soon()).error, 0) << "the server's own";
}

TEST_F(Faults, ABlackHoleTakesEverything) {
    inject({Kind::black_hole});
    ask(1);
    client.say(end_txn(2) + end_txn(3));
    EXPECT_EQ(answer(quiet), silence);
    EXPECT_FALSE(client.closed(quiet));
    EXPECT_THAT(server.asked(), ElementsAre("tx-1 commit"));
}

TEST_F(Faults, CountFromTheNthRequestAndAfterAnotherRule) {
    const auto first = proxy->inject({.match = {.text = "tx-2"}, .fault = {}});
    proxy->inject({.match = {},
                   .fault = {.kind = Kind::replace_error, .error = 9},
                   .nth = 2,
                   .times = 2,
                   .after = first});
    std::vector<int> errors;
    for (int n = 1; n <= 6; ++n) {
        errors.push_back(ask(n).second);
    }
    EXPECT_THAT(errors, ElementsAre(0, 0, 0, 9, 9, 0));
}

TEST_F(Faults, DueAtTheSameRequestAreMetOneAfterTheOther) {
    inject({.kind = Kind::replace_error, .error = 8});
    inject({.kind = Kind::replace_error, .error = 9});
    std::vector<int> errors;
    for (int n = 1; n <= 4; ++n) {
        errors.push_back(ask(n).second);
    }
    EXPECT_THAT(errors, ElementsAre(0, 8, 9, 0));
}

TEST_F(Faults, OfAnotherClientAreNotMet) {
    proxy->inject({.match = {.client = "somebody"}, .fault = {.kind = Kind::replace_error, .error = 9}});
    EXPECT_EQ(ask(1), success(1));
}

TEST(PostgresFaults, AreRefusedWhereTheyMeanNothing) {
    const auto proxy = FaultProxy::postgres(1);
    EXPECT_THROW(proxy->inject({.match = {}, .fault = {Kind::hold}}), std::invalid_argument);
}

} // namespace
} // namespace outbox::chaos
