// What becomes of claimed rows that are not sent, when somebody has changed them meanwhile.
#include "fixture.hpp"

#include <outbox/core/event.hpp>

#include <fmt/format.h>

#include <functional>

namespace outbox::store {
namespace {

class ClaimedRows : public StoreTest {
protected:
    void insert(const std::string& key, const std::string& status = "NEW") {
        database_.query(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, "
            "topic, status) VALUES (gen_random_uuid(), 'user', $1, 'user.created', '{}', 't', $2)",
            {key, status});
    }
    RowSet claim() {
        Turn turn(store_, {ownership_});
        RowSet claimed = turn.claim({}, {}, {});
        turn.commit(claimed);
        return claimed;
    }
    template <class Change>
    void in_turn(Change change) {
        Turn turn(store_, {ownership_});
        change(turn);
        turn.commit();
    }

    static std::string print(const Tid& tid) { return fmt::format("({},{})", tid.block, tid.offset); }
    std::string place_of(const Row& row) {
        return database_.value("SELECT ctid FROM outbox_events WHERE seq = $1::bigint",
                               {std::to_string(row.seq)});
    }
    /// As by an operator's hand.
    void move(const RowSet& claimed) {
        database_.query("UPDATE outbox_events SET max_retries = 9");
        for (const Row& row : claimed.rows) {
            ASSERT_NE(place_of(row), print(row.tid));
        }
    }
    /// Another row in flight comes to stand where the claimed one stood, as soon as no snapshot on the server
    /// keeps dead rows there.
    void replace(const Row& claimed) {
        insert("another", "PROCESSING");
        ASSERT_TRUE(support::wait_until(
            [&] {
                database_.query("VACUUM FULL outbox_events");
                return database_.value("SELECT ctid FROM outbox_events WHERE aggregate_id = 'another'") ==
                       print(claimed.tid);
            },
            60s));
    }

    /// Of the newest row of the key.
    std::string state_of(const std::string& key) {
        return database_.value(
            "SELECT status || ', ' || CASE WHEN next_attempt_at IS NULL THEN 'ready' WHEN next_attempt_at = "
            "'infinity' THEN 'held' WHEN next_attempt_at > clock_timestamp() THEN 'waits' ELSE 'due' END "
            "FROM outbox_events WHERE aggregate_id = $1 ORDER BY seq DESC LIMIT 1",
            {key});
    }
    static FailedAttempt attempt_at(const Row& row) {
        FailedAttempt attempt;
        attempt.seq = row.seq;
        attempt.id = row.id;
        attempt.retry_count = 1;
        attempt.wait = 60s;
        attempt.error = "refused";
        return attempt;
    }
    void fail(const Row& row) {
        in_turn([&](Turn& turn) { turn.fail(std::vector{attempt_at(row)}); });
    }
};

TEST_F(ClaimedRows, ThatMovedCountTheirFailedAttemptAndWait) {
    insert("a");
    const RowSet claimed = claim();
    move(claimed);
    fail(claimed.rows.at(0));
    EXPECT_EQ(state_of("a"), "NEW, waits");
    EXPECT_EQ(database_.value("SELECT retry_count || ' ' || error_message FROM outbox_events"), "1 refused");
    EXPECT_EQ(database_.value("SELECT key FROM outbox_blocked_keys"), "a");
}

TEST_F(ClaimedRows, ThatMovedAreGivenUp) {
    insert("a");
    const RowSet claimed = claim();
    move(claimed);
    FailedAttempt last = attempt_at(claimed.rows.at(0));
    last.give_up = true;
    last.block_key = true;
    in_turn([&](Turn& turn) { turn.fail(std::vector{last}); });
    EXPECT_EQ(state_of("a"), "FAILED, ready");
    EXPECT_EQ(database_.number("SELECT failed_seq FROM outbox_blocked_keys"), last.seq);
}

TEST_F(ClaimedRows, ThatMovedArePutBack) {
    insert("a");
    insert("b");
    const RowSet claimed = claim();
    move(claimed);
    in_turn([&](Turn& turn) { turn.put_back(claimed.rows); });
    EXPECT_EQ(state_of("a"), "NEW, ready");
    EXPECT_EQ(state_of("b"), "NEW, ready");
}

TEST_F(ClaimedRows, ThatMovedAreHeldBehindTheFailedOneOfTheirKey) {
    insert("a");
    insert("a");
    const RowSet claimed = claim();
    move(claimed);
    in_turn([&](Turn& turn) {
        turn.fail(std::vector{attempt_at(claimed.rows.at(0))});
        turn.put_back(std::span(claimed.rows).subspan(1));
    });
    EXPECT_EQ(state_of("a"), "NEW, held");
}

TEST_F(ClaimedRows, ThatMovedArePostponed) {
    insert("a");
    const RowSet claimed = claim();
    move(claimed);
    in_turn([&](Turn& turn) { turn.postpone(claimed.rows); });
    EXPECT_EQ(state_of("a"), "NEW, due");
    EXPECT_EQ(database_.value("SELECT key FROM outbox_blocked_keys"), "a");
}

TEST_F(ClaimedRows, ThatSomebodyChangedBeforeTheyWereOursLeaveTheClaimWithTheLaterOnesOfTheirKeys) {
    for (const auto* key : {"a", "a", "a", "b"}) {
        insert(key);
    }
    Turn turn(store_, {ownership_});
    RowSet claimed = turn.claim({}, {}, {});
    ASSERT_EQ(claimed.rows.size(), 4U);
    database_.query(
        "UPDATE outbox_events SET max_retries = 9 WHERE aggregate_id = 'a' AND seq = (SELECT min(seq) + 1 "
        "FROM outbox_events)");
    turn.commit(claimed);
    std::string keys;
    for (const Row& row : claimed.rows) {
        keys += row.key;
    }
    EXPECT_EQ(keys.size(), 2U) << keys; // the first of a, and b
    EXPECT_EQ(
        database_.number("SELECT count(*) FROM outbox_events WHERE status = 'NEW' AND aggregate_id = 'a'"),
        2);
    EXPECT_EQ(claim().rows.size(), 2U);
}

TEST_F(ClaimedRows, WhoseUpdatesATriggerCancelsAreAnErrorThatNamesIt) {
    insert("a");
    const RowSet claimed = claim();
    database_.query("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    database_.query(
        "CREATE TRIGGER cancels BEFORE UPDATE ON outbox_events FOR EACH ROW EXECUTE FUNCTION nothing()");
    insert("b");
    const auto expect_named = [](const std::function<void()>& act) {
        try {
            act();
            FAIL() << "it had no effect, and nobody said so";
        } catch (const Error& error) {
            EXPECT_EQ(error.action(), Action::stop);
            EXPECT_NE(std::string(error.what()).find("DROP TRIGGER cancels ON outbox_events;"),
                      std::string::npos)
                << error.what();
        }
    };
    expect_named([this] { claim(); });
    expect_named([&] { fail(claimed.rows.at(0)); });
    expect_named([&] { in_turn([&](Turn& turn) { turn.put_back(claimed.rows); }); });
    const Row& row = claimed.rows.at(0);
    const ShardMark mark{0, {1, 0}};
    expect_named([&] {
        in_turn([&](Turn& turn) {
            turn.mark({{row.tid, row.seq, row.bucket, 0, 0, row.id, claimed.table_file}},
                      std::span(&mark, 1));
        });
    });
    const ManifestedRow manifested{row.bucket, row.seq, outbox::id_digest(row.id)};
    expect_named([&] { store_.settle(ownership_, slot_, std::span(&manifested, 1), {}, {1, 0}, false); });
}

TEST_F(ClaimedRows, AreToldFromTheOneThatStandsInTheirPlaceWhenTheyFail) {
    insert("a");
    const RowSet claimed = claim();
    replace(claimed.rows.at(0));
    fail(claimed.rows.at(0));
    EXPECT_EQ(state_of("a"), "NEW, waits");
    EXPECT_EQ(state_of("another"), "PROCESSING, ready");
}

TEST_F(ClaimedRows, AreToldFromTheOneThatStandsInTheirPlaceWhenTheyArePutBack) {
    insert("a");
    const RowSet claimed = claim();
    replace(claimed.rows.at(0));
    in_turn([&](Turn& turn) { turn.put_back(claimed.rows); });
    EXPECT_EQ(state_of("a"), "NEW, ready");
    EXPECT_EQ(state_of("another"), "PROCESSING, ready");
}

TEST_F(ClaimedRows, AreToldFromTheOneThatStandsInTheirPlaceWhenTheyArePostponed) {
    insert("a");
    const RowSet claimed = claim();
    replace(claimed.rows.at(0));
    in_turn([&](Turn& turn) { turn.postpone(claimed.rows); });
    EXPECT_EQ(state_of("a"), "NEW, due");
    EXPECT_EQ(state_of("another"), "PROCESSING, ready");
}

} // namespace
} // namespace outbox::store
