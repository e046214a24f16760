#include "fixture.hpp"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <set>

namespace outbox {
namespace {

class HttpIdempotency : public HttpTest {
protected:
    Reply post(const std::string& key, const std::string& body) const {
        return ask("POST", "/users", body, {{"Idempotency-Key", key}});
    }
    std::int64_t users() { return database.number("SELECT count(*) FROM users"); }
};

TEST_F(HttpIdempotency, ARepetitionGetsTheFirstAnswer) {
    const Reply first = post("key-1", user_json("ada@example.com"));
    ASSERT_EQ(first.status, 201);
    ask("PUT", first.headers.at("location"), R"({"name":"Changed since"})");
    for (int i = 0; i < 3; ++i) {
        const Reply again = post("key-1", user_json("ada@example.com"));
        EXPECT_EQ(again.status, 201);
        EXPECT_EQ(again.headers.at("location"), first.headers.at("location"));
        EXPECT_EQ(again.body, first.body);
    }
    EXPECT_EQ(users(), 1);
    EXPECT_TRUE(users_match_events());
}

TEST_F(HttpIdempotency, AnotherKeyIsAnotherRequest) {
    EXPECT_EQ(post("key-1", user_json("ada@example.com")).status, 201);
    EXPECT_EQ(post("key-2", user_json("ada@example.com")).status, 409);
    EXPECT_EQ(post("key-2", user_json("bob@example.com")).status, 201) << "a failure is not kept";
}

TEST_F(HttpIdempotency, TheSameKeyWithAnotherBodyIs422) {
    EXPECT_EQ(post("key-1", user_json("ada@example.com")).status, 201);
    EXPECT_EQ(post("key-1", user_json("bob@example.com")).status, 422);
    EXPECT_EQ(post("key-1", user_json("ada@example.com", "Other")).status, 422);
    EXPECT_EQ(users(), 1);
}

TEST_F(HttpIdempotency, OfConcurrentRepetitionsOneActsAndAllGetItsAnswer) {
    for (int round = 0; round < 10; ++round) {
        std::mutex mutex;
        std::set<std::string> answers;
        in_parallel(50, [&](int) {
            const Reply reply =
                post(fmt::format("key-{}", round), user_json(fmt::format("{}@example.com", round)));
            const std::lock_guard lock(mutex);
            answers.insert(fmt::format("{} {}", reply.status, reply.body));
        });
        EXPECT_EQ(answers.size(), 1U) << *answers.begin() << *answers.rbegin();
        EXPECT_TRUE(answers.begin()->starts_with("201 "));
        EXPECT_EQ(users(), round + 1);
    }
    EXPECT_TRUE(users_match_events());
}

TEST_F(HttpIdempotency, OfConcurrentRequestsWithDifferentBodiesOneActs) {
    std::atomic<int> created = 0;
    std::atomic<int> refused = 0;
    in_parallel(16, [&](int i) {
        const int status = post("key", user_json(fmt::format("{}@example.com", i))).status;
        created += status == 201 ? 1 : 0;
        refused += status == 422 ? 1 : 0;
    });
    EXPECT_EQ(created, 1);
    EXPECT_EQ(refused, 15);
}

TEST_F(HttpIdempotency, AnAnswerIsForgottenAfterADay) {
    EXPECT_EQ(post("key-1", user_json("ada@example.com")).status, 201);
    EXPECT_EQ(
        database.value("SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM idempotency_keys"),
        "24");
    database.query("UPDATE idempotency_keys SET expires_at = now() - interval '1 second'");
    EXPECT_EQ(post("key-1", user_json("bob@example.com")).status, 201);
    EXPECT_EQ(users(), 2);
}

TEST_F(HttpIdempotency, ExpiredAnswersAreRemovedALittleAtATime) {
    database.query(
        "INSERT INTO idempotency_keys SELECT 'old-' || n, '', 201, '', '', now() - interval '1 day'"
        " FROM generate_series(1, 2500) n");
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(post(fmt::format("key-{}", i), user_json(fmt::format("{}@example.com", i))).status, 201);
    }
    EXPECT_EQ(database.number("SELECT count(*) FROM idempotency_keys WHERE key LIKE 'old-%'"), 0);
    EXPECT_EQ(database.number("SELECT count(*) FROM idempotency_keys"), 4);
}

TEST_F(HttpIdempotency, AKeyIsOneToTwoHundredFiftyFivePrintableCharacters) {
    EXPECT_EQ(post(std::string(256, 'k'), user_json("ada@example.com")).status, 422);
    EXPECT_EQ(post("k\xc3\xa9", user_json("ada@example.com")).status, 422);
    EXPECT_EQ(post("", user_json("ada@example.com")).status, 422);
    EXPECT_EQ(users(), 0);
    EXPECT_EQ(post(std::string(255, 'k'), user_json("ada@example.com")).status, 201);
}

} // namespace
} // namespace outbox
