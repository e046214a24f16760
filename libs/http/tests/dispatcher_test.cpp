#include <outbox/core/error.hpp>
#include <outbox/http/dispatcher.hpp>
#include <outbox/http/problem.hpp>
#include <outbox/http/worker_pool.hpp>

#include <gtest/gtest.h>

#include <future>
#include <latch>

namespace outbox::http {
namespace {

Request get(const std::string& path, milliseconds timeout = milliseconds(20'000)) {
    return {"GET", path, {}, {}, {}, Deadline::in(timeout)};
}

template <class Exception>
int status_when_thrown(Exception exception) {
    return answer_of([&](const Request&) -> Response { throw exception; }, get("/")).status;
}

TEST(Dispatcher, ErrorsBecomeAnswersByTheirAction) {
    EXPECT_EQ(status_when_thrown(ProblemError({problems::precondition_failed, "changed"})), 412);
    EXPECT_EQ(status_when_thrown(Error(Action::retry, "busy")), 503);
    EXPECT_EQ(status_when_thrown(Error(Action::reconnect, "gone")), 503);
    EXPECT_EQ(status_when_thrown(Error(Action::stop, "no table")), 503);
    EXPECT_EQ(status_when_thrown(Error(Action::quarantine, "does not fit")), 500);
    EXPECT_EQ(status_when_thrown(std::logic_error("oops")), 500);
}

TEST(Dispatcher, AnUnknownOutcomeIsSaidToBeUnknown) {
    const Response response =
        answer_of([](const Request&) -> Response { throw CommitInDoubt("lost"); }, get("/"));
    EXPECT_EQ(response.status, 503);
    EXPECT_NE(response.body.find("outcome is unknown"), std::string::npos);
    EXPECT_NE(response.body.find("Idempotency-Key"), std::string::npos);
    EXPECT_NE(response.body.find("urn:problem-type:outbox:outcome-unknown"), std::string::npos);
    EXPECT_FALSE(response.headers.find("Retry-After")) << "a repetition might do it twice";
}

TEST(Dispatcher, WhatWentWrongInsideStaysInside) {
    const Response response = answer_of(
        [](const Request&) -> Response { throw Error(Action::retry, "10.1.2.3 secret"); }, get("/"));
    EXPECT_EQ(response.body.find("secret"), std::string::npos);
}

class HttpDispatcher : public testing::Test {
protected:
    HttpDispatcher() {
        router.add({"GET", "/at-once", nullptr, [](const Request&) { return Response{}; }});
        router.add({"GET", "/pooled/{what}", &pool, [this](const Request& request) {
                        busy.count_down();
                        released.wait();
                        return Response{200, "text/plain", request.parameters.at(0), {}};
                    }});
    }
    std::future<Response> ask(Request request) {
        auto promise = std::make_shared<std::promise<Response>>();
        auto future = promise->get_future();
        dispatcher.dispatch(std::move(request),
                            [promise](Response response) { promise->set_value(std::move(response)); });
        return future;
    }

    std::latch busy{1}; // counted down by the one request that gets to run
    std::latch released{1};
    WorkerPool pool{1, 1};
    Router router;
    Dispatcher dispatcher{router};
};

TEST_F(HttpDispatcher, UnknownPathsAndMethodsAreAnsweredAtOnce) {
    EXPECT_EQ(ask(get("/nothing")).get().status, 404);
    Request wrong = get("/at-once");
    wrong.method = "POST";
    const Response response = ask(std::move(wrong)).get();
    EXPECT_EQ(response.status, 405);
    EXPECT_EQ(response.headers.find("Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(HttpDispatcher, OptionsSaysWhatIsAllowed) {
    Request options = get("/at-once");
    options.method = "OPTIONS";
    const Response response = ask(options).get();
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(response.headers.find("Allow"), "GET, HEAD, OPTIONS");
    options.path = "/nothing";
    EXPECT_EQ(ask(options).get().status, 404);
    options.path = "*";
    EXPECT_EQ(ask(options).get().status, 204);
}

TEST_F(HttpDispatcher, AFullQueueIs503AndRoutesWithoutAPoolStillAnswer) {
    auto first = ask(get("/pooled/a"));
    busy.wait();
    auto second = ask(get("/pooled/late", milliseconds(1)));
    auto third = ask(get("/pooled/c"));
    ASSERT_EQ(third.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    const Response refused = third.get();
    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.headers.find("Retry-After"));
    EXPECT_EQ(ask(get("/at-once")).get().status, 200);

    std::this_thread::sleep_for(milliseconds(5));
    released.count_down();
    EXPECT_EQ(first.get().body, "a");
    EXPECT_EQ(second.get().status, 503) << "its deadline passed in the queue";
}

} // namespace
} // namespace outbox::http
