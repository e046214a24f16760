// An event that is given up blocks its key from the moment on at which its dead letter is under way.

#include "fixture.hpp"

#include <outbox/support/topics.hpp>
#include <outbox/support/wait.hpp>

namespace outbox::chaos {
namespace {

class DeadLetter : public Chaos {
protected:
    const std::string letters = database.name() + "_dead";

    std::string insert(const std::string& key, const std::string& topic) {
        return database.value(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data,"
            " topic, max_retries) VALUES (gen_random_uuid(), 'user', $1, 'user.created', '{}',"
            " $2, 1) RETURNING id",
            {key, topic});
    }
    std::string status(const std::string& id) {
        return database.value("SELECT status FROM outbox_events WHERE id = $1", {id});
    }
    void TearDown() override {
        Chaos::TearDown();
        support::delete_topics({letters});
    }
};

TEST_F(DeadLetter, IsNotOvertakenByALaterEventOfAKeyThatItBlocks) {
    start_relay({{"RELAY_ON_FAILED", "block-key"}, {"RELAY_DEAD_LETTER_TOPIC", letters}});
    const auto end = kafka->inject({.match = {"EndTxn", "-p0-0 commit"}, .fault = {Fault::Kind::stall}});
    const auto dead = insert("a", "no topic's name");
    kafka->wait_hit(end, soon());
    const auto later = insert("a", database.name());
    EXPECT_FALSE(support::wait_until([&] { return status(later) != "NEW"; }, 4s)) << "claimed too soon";
    kafka->lift(end);
    ASSERT_TRUE(support::wait_until([&] { return status(dead) == "FAILED"; }, 30s));
    const auto other = insert("b", database.name());
    EXPECT_TRUE(support::wait_until([&] { return status(other) == "SENT"; }, 30s));
    EXPECT_EQ(status(later), "NEW");
}

} // namespace
} // namespace outbox::chaos
