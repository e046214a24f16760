#include "client.hpp"

#include <outbox/http/server.hpp>
#include <outbox/http/worker_pool.hpp>

#include <gtest/gtest.h>

#include <future>

namespace outbox::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A server in this process, with a handler that answers when the test says so.
class HttpDeadlines : public testing::Test {
protected:
    HttpDeadlines() {
        for (const char* method : {"GET", "POST"}) {
            router.add({method, "/stuck", &pool, [this](const Request&) {
                            released.wait();
                            return Response{};
                        }});
        }
        router.add({"POST", "/quick", nullptr, [](const Request&) { return Response{}; }});
        server.start();
    }
    void TearDown() override {
        release();
        server.drain(Deadline::in(seconds(5)));
        pool.stop();
    }
    void release() {
        if (!done) {
            gate.set_value();
            done = true;
        }
    }

    std::promise<void> gate;
    std::shared_future<void> released = gate.get_future().share();
    bool done = false;
    WorkerPool pool{1, 1};
    Router router;
    Server server{{.request_timeout = milliseconds(300),
                   .header_timeout = milliseconds(600),
                   .body_timeout = milliseconds(600),
                   .idle_timeout = milliseconds(600)},
                  router};
};

TEST_F(HttpDeadlines, AHandlerThatHangsIsAnsweredForInTime) {
    Client working(server.port());
    Client waiting(server.port());
    const auto start = SteadyClock::now();
    working.send(request_text("POST", "/stuck"));
    waiting.send(request_text("POST", "/stuck"));
    for (Client* client : {&working, &waiting}) {
        const Reply reply = client->read();
        EXPECT_EQ(reply.status, 503);
        EXPECT_FALSE(reply.headers.contains("retry-after")) << "it may have been done";
        EXPECT_NE(reply.body.find("unknown"), std::string::npos) << reply.body;
        EXPECT_TRUE(client->closed_by_server(Deadline::in(seconds(5))));
    }
    EXPECT_LT(SteadyClock::now() - start, seconds(3));
    EXPECT_EQ(ask(server.port(), "POST", "/quick").status, 200);
    release(); // the answer that comes too late goes nowhere
}

TEST_F(HttpDeadlines, ARequestThatChangesNothingMayBeRepeated) {
    const Reply reply = ask(server.port(), "GET", "/stuck");
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(reply.json().at("type"), "urn:problem-type:outbox:unavailable");
    EXPECT_TRUE(reply.headers.contains("retry-after"));
    release();
}

TEST_F(HttpDeadlines, ARequestThatDoesNotComeToItsEndIs408) {
    for (const char* begin :
         {"POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", "POST /qu", "PO"}) {
        Client client(server.port());
        client.send(begin);
        const Reply reply = client.read();
        EXPECT_EQ(reply.status, 408) << begin;
        EXPECT_EQ(reply.headers.at("content-type"), "application/problem+json");
    }
}

TEST_F(HttpDeadlines, AConnectionThatSaysNothingIsClosedWithoutAWord) {
    Client silent(server.port());
    EXPECT_TRUE(silent.closed_by_server(Deadline::in(seconds(5))));
    Client idle(server.port());
    EXPECT_EQ(idle.ask("POST", "/quick").status, 200);
    EXPECT_TRUE(idle.closed_by_server(Deadline::in(seconds(5))));
}

} // namespace
} // namespace outbox::http
