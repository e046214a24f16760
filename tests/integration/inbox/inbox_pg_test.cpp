// The last hop on a real PostgreSQL: what the inbox lets through, and who waits for whom.

#include <outbox/core/error.hpp>
#include <outbox/inbox/inbox.hpp>
#include <outbox/postgres/error.hpp>
#include <outbox/support/database.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <algorithm>
#include <future>
#include <random>
#include <stdexcept>

namespace outbox {
namespace {

using namespace std::chrono_literals;
using inbox::Message;
using inbox::Tx;

/// A consumer's session, in plain libpq as users have it.
class Session {
public:
    explicit Session(const postgres::ConnectOptions& options)
        : session_(PQconnectdb(fmt::format("host={} port={} user={} password={} dbname={}", options.host,
                                           options.port, options.user, options.password, options.database)
                                   .c_str())) {
        run("SET statement_timeout = '60s'");
    }

    void run(const std::string& sql) {
        const Handle<PGresult, PQclear> result(PQexec(session_.get(), sql.c_str()));
        if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
            throw std::runtime_error(PQerrorMessage(session_.get()));
        }
    }

    [[nodiscard]] Tx tx() const { return Tx(session_.get()); }

private:
    Handle<PGconn, PQfinish> session_;
};

class InboxInPostgres : public testing::Test {
protected:
    support::TestDatabase database{support::TestDatabase::Start::empty};
    Inbox inbox{"billing"};
    Session session{database.options()};

    InboxInPostgres() {
        database.query(std::string(Inbox::schema()));
        database.query("CREATE TABLE effects (id text)");
    }

    static Message message(std::int64_t offset, const std::string& id, std::int32_t partition = 0) {
        return {.topic = "user-events", .partition = partition, .offset = offset, .id = id};
    }

    /// One turn with an effect, in the transaction that is open.
    bool turn(Session& member, const Message& seen) const {
        return inbox.once(member.tx(), seen,
                          [&] { member.run("INSERT INTO effects VALUES ('" + seen.id + "')"); });
    }

    /// The same in a transaction of its own.
    bool apply(const Message& seen) {
        session.run("BEGIN");
        const bool ran = turn(session, seen);
        session.run("COMMIT");
        return ran;
    }

    std::int64_t effects() { return database.number("SELECT count(*) FROM effects"); }
    std::int64_t ids() { return database.number("SELECT count(*) FROM outbox_inbox"); }
    std::int64_t next_offset(std::int32_t partition = 0) {
        session.run("BEGIN");
        const auto next = inbox.next_offset(session.tx(), "user-events", partition);
        session.run("COMMIT");
        return next.value_or(-1);
    }

    /// Whether some session waits for a lock, within a minute.
    bool somebody_waits() {
        const auto deadline = Deadline::in(60s);
        while (!deadline.passed()) {
            if (database.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                                "AND wait_event_type = 'Lock'") > 0) {
                return true;
            }
        }
        return false;
    }

    /// The first session is in the middle of its turn; the second takes its own, and the first ends by this.
    /// @return whether the second one's handler ran.
    bool second_ran(const Message& first, const Message& second, const std::string& end_of_first) {
        session.run("BEGIN");
        EXPECT_TRUE(turn(session, first));
        auto other = std::async(std::launch::async, [&] {
            Session member(database.options());
            member.run("BEGIN");
            const bool ran = turn(member, second);
            member.run("COMMIT");
            return ran;
        });
        EXPECT_TRUE(somebody_waits());
        session.run(end_of_first);
        return other.get();
    }
};

TEST_F(InboxInPostgres, WithoutItsTablesItSaysWhatToRun) {
    database.query("DROP TABLE outbox_inbox_offsets, outbox_inbox");
    session.run("BEGIN");
    try {
        inbox.once(session.tx(), message(1, "a"), [] {});
        FAIL() << "it was let through";
    } catch (const postgres::DatabaseError& error) {
        EXPECT_NE(std::string(error.what()).find("run what Inbox::schema() returns"), std::string::npos)
            << error.what();
    }
}

TEST_F(InboxInPostgres, AMessageSeenTwiceRunsTheHandlerOnce) {
    EXPECT_TRUE(apply(message(0, "a")));
    EXPECT_FALSE(apply(message(0, "a")));
    EXPECT_EQ(effects(), 1);
    EXPECT_EQ(next_offset(), 1);
}

TEST_F(InboxInPostgres, AnEventSentAgainUnderAnotherOffsetIsSeenAndTheOffsetGoesOn) {
    EXPECT_TRUE(apply(message(0, "a")));
    EXPECT_FALSE(apply(message(7, "a")));
    EXPECT_FALSE(apply(message(3, "a", 1)));
    EXPECT_EQ(effects(), 1);
    EXPECT_EQ(next_offset(), 8);
    EXPECT_EQ(next_offset(1), 4);
}

TEST_F(InboxInPostgres, AnOffsetBelowTheNextIsRefusedWhateverItsId) {
    EXPECT_TRUE(apply(message(10, "a")));
    EXPECT_FALSE(apply(message(9, "b")));
    EXPECT_FALSE(apply(message(10, "c")));
    EXPECT_TRUE(apply(message(0, "d", 1))) << "another partition has its own";
    EXPECT_EQ(next_offset(), 11);
    EXPECT_EQ(ids(), 2);
}

TEST_F(InboxInPostgres, EachConsumerHasAMemoryOfItsOwn) {
    EXPECT_TRUE(apply(message(0, "a")));
    inbox = Inbox("shipping");
    EXPECT_EQ(next_offset(), -1);
    EXPECT_TRUE(apply(message(0, "a")));
    EXPECT_EQ(effects(), 2);
}

TEST_F(InboxInPostgres, ARollbackTakesEffectIdAndOffsetWithIt) {
    session.run("BEGIN");
    EXPECT_TRUE(turn(session, message(0, "a")));
    session.run("ROLLBACK");
    EXPECT_EQ(effects() + ids(), 0);
    EXPECT_EQ(next_offset(), -1);
    EXPECT_TRUE(apply(message(0, "a")));
}

TEST_F(InboxInPostgres, AHandlersExceptionLeavesNothingEvenWhenTheCallerCommits) {
    session.run("BEGIN");
    EXPECT_TRUE(turn(session, message(0, "before")));
    EXPECT_THROW(inbox.once(session.tx(), message(1, "a"),
                            [&] {
                                session.run("INSERT INTO effects VALUES ('a')");
                                throw std::domain_error("no");
                            }),
                 std::domain_error);
    session.run("COMMIT");
    EXPECT_EQ(database.value("SELECT string_agg(id, ',') FROM effects"), "before");
    EXPECT_EQ(next_offset(), 1);
    EXPECT_TRUE(apply(message(1, "a")));
}

TEST_F(InboxInPostgres, AHandlerThatHidesARefusedStatementIsNotTakenForDone) {
    session.run("BEGIN");
    EXPECT_THROW(inbox.once(session.tx(), message(0, "a"),
                            [&] { EXPECT_THROW(session.run("SELECT 1 / 0"), std::runtime_error); }),
                 postgres::DatabaseError);
    session.run("COMMIT");
    EXPECT_EQ(ids(), 0);
}

TEST_F(InboxInPostgres, OfTwoSessionsWithOneOffsetTheSecondWaitsAndSeesThatItWasDone) {
    EXPECT_FALSE(second_ran(message(5, "a"), message(5, "a"), "COMMIT"));
    EXPECT_EQ(effects(), 1);
}

TEST_F(InboxInPostgres, OfTwoSessionsWithOneIdInTwoPartitionsTheSecondWaitsAndSeesThatItWasDone) {
    EXPECT_FALSE(second_ran(message(5, "a"), message(5, "a", 1), "COMMIT"));
    EXPECT_EQ(effects(), 1);
}

TEST_F(InboxInPostgres, TheSecondRunsWhenTheFirstRollsBack) {
    EXPECT_TRUE(second_ran(message(5, "a"), message(5, "a"), "ROLLBACK"));
    EXPECT_EQ(effects(), 1);
}

TEST_F(InboxInPostgres, AZombieBehindTheNewOwnerIsRefused) {
    ASSERT_TRUE(apply(message(0, "a")));
    EXPECT_FALSE(second_ran(message(2, "c"), message(1, "b"), "COMMIT"));
    EXPECT_EQ(next_offset(), 3);
}

TEST_F(InboxInPostgres, TwoOwnersOfAPartitionApplyEachMessageOnceAndInOrder) {
    constexpr std::int64_t messages = 300;
    database.query("ALTER TABLE effects ADD entry bigserial");
    const auto own = [&](unsigned seed) {
        std::minstd_rand random(seed);
        Session owner(database.options());
        for (std::int64_t next = 0; next < messages;) {
            const auto end = std::min<std::int64_t>(messages, next + 1 + static_cast<int>(random() % 5));
            owner.run("BEGIN");
            for (auto offset = next; offset < end; ++offset) {
                turn(owner, message(offset, std::to_string(offset)));
            }
            const bool lost = random() % 4 == 0; // then the same ones again
            owner.run(lost ? "ROLLBACK" : "COMMIT");
            next = lost ? next : end;
        }
    };
    auto other = std::async(std::launch::async, own, 1);
    own(2);
    other.get();
    EXPECT_EQ(effects(), messages);
    EXPECT_EQ(
        database.number("SELECT count(*) FROM effects WHERE id::bigint <> (SELECT count(*) FROM effects AS e "
                        "WHERE e.entry < effects.entry)"),
        0);
}

TEST_F(InboxInPostgres, ANewOwnersStartWaitsForTheTurnThatIsUnderWay) {
    ASSERT_TRUE(apply(message(0, "a")));
    session.run("BEGIN");
    EXPECT_TRUE(turn(session, message(1, "b")));
    auto start = std::async(std::launch::async, [&] {
        Session owner(database.options());
        owner.run("BEGIN");
        return inbox.next_offset(owner.tx(), "user-events", 0);
    });
    EXPECT_TRUE(somebody_waits());
    session.run("COMMIT");
    EXPECT_EQ(start.get(), 2);
}

TEST_F(InboxInPostgres, PruneForgetsOldIdsOfThisConsumerAndKeepsOffsets) {
    ASSERT_TRUE(apply(message(0, "old")));
    database.query("INSERT INTO outbox_inbox VALUES ('shipping', 'old')");
    database.query("UPDATE outbox_inbox SET seen_at = now() - interval '2 days'");
    ASSERT_TRUE(apply(message(1, "new")));
    session.run("BEGIN");
    EXPECT_EQ(inbox.prune(session.tx(), 24h), 1);
    session.run("COMMIT");
    EXPECT_EQ(ids(), 2);
    EXPECT_FALSE(apply(message(0, "old")));
}

TEST_F(InboxInPostgres, WithoutATransactionNothingRuns) {
    EXPECT_THROW(turn(session, message(0, "a")), Error);
    EXPECT_THROW(static_cast<void>(inbox.next_offset(session.tx(), "user-events", 0)), Error)
        << "its lock would be gone at once";
    EXPECT_EQ(effects() + ids(), 0);
}

TEST_F(InboxInPostgres, AnIdThatPostgresCannotKeepIsRefusedAndTheTransactionGoesOn) {
    session.run("BEGIN");
    for (const std::string& id : {std::string(), std::string("a\0b", 3), std::string("\xff")}) {
        try {
            turn(session, message(0, id));
            ADD_FAILURE() << "accepted";
        } catch (const Error& error) {
            EXPECT_EQ(error.action(), Action::quarantine) << error.what();
        }
    }
    EXPECT_TRUE(turn(session, message(1, "a")));
    session.run("COMMIT");
    EXPECT_EQ(effects(), 1);
}

TEST_F(InboxInPostgres, TheSchemaMayRunAgain) {
    ASSERT_TRUE(apply(message(0, "a")));
    database.query(std::string(Inbox::schema()));
    EXPECT_FALSE(apply(message(0, "a")));
}

} // namespace
} // namespace outbox
