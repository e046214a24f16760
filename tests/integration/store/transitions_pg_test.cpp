// Each statement that changes the state of an event does so from the states that the table of transitions
// names, and from no other.
#include "fixture.hpp"

#include <outbox/store/sql/adopt.hpp>
#include <outbox/store/sql/events.hpp>
#include <outbox/store/sql/reconcile.hpp>
#include <outbox/store/sql/shard.hpp>
#include <outbox/store/sql/strays.hpp>
#include <outbox/store/sql/turn.hpp>
#include <outbox/store/sql/waiting.hpp>
#include <outbox/store/statements.hpp>
#include <outbox/store/transitions.hpp>

#include <fmt/format.h>

#include <functional>
#include <regex>
#include <set>
#include <tuple>

namespace outbox::store {
namespace {

using postgres::Params;

struct Event {
    std::string id;
    std::string tid;
    std::string seq;
    std::string bucket;
    std::string key; ///< in hex
};

std::string array(const std::string& element) {
    return "{\"" + element + "\"}";
}

/// What an event waits for before the statement.
enum class Waits { no, due, held };

struct Change {
    postgres::Statement statement;
    std::string_view who;
    std::string_view to;
    std::function<Params(const Event&)> params;
    Waits waits = Waits::no;
};

Change settles(const postgres::Statement& statement, std::string_view to, Waits waits) {
    return {statement, actor::recovery, to,
            [to](const Event& event) {
                return Params{array(event.bucket), array(event.seq), std::string(to), "why", 0};
            },
            waits};
}

Change fails(bool give_up) {
    return {sql::fail_attempts, actor::relay, give_up ? status::failed : status::fresh,
            [give_up](const Event& event) {
                return Params{array(event.id), "{1}", give_up ? "{t}" : "{f}", "{1000}", "{why}", "{f}"};
            },
            Waits::no};
}

Change reconciles(std::string_view to) {
    return {sql::reconcile, actor::reconcile, to,
            [to](const Event& event) {
                return Params{array(event.id), "{0}", "{0}", std::string(to)};
            },
            Waits::no};
}

Params ids(const Event& event) {
    return {array(event.id)};
}

Params strays(const Event& event) {
    return {array(event.bucket), "{-1}", "{}", 10};
}

std::vector<Change> all_changes() {
    std::vector<Change> changes{
        {sql::to_processing, actor::relay, status::processing,
         [](const Event& event) { return Params{array(event.tid)}; }},
        {sql::take_due, actor::relay, status::processing,
         [](const Event& event) {
             return Params{array(event.bucket), "{}"};
         },
         Waits::due},
        {sql::take_held, actor::relay, status::processing,
         [](const Event& event) {
             return Params{event.bucket, event.key, "{}", 10};
         },
         Waits::held},
        {sql::mark_moved, actor::relay, status::sent,
         [](const Event& event) {
             return Params{array(event.id), array(event.seq), "{0}", "{0}"};
         }},
        fails(true),
        fails(false),
        {sql::to_skipped, actor::relay, status::skipped,
         [](const Event& event) {
             return Params{array(event.bucket), array(event.seq), "{why}"};
         }},
        {sql::to_new, actor::relay, status::fresh, ids},
        {sql::to_due, actor::relay, status::fresh, ids},
        {sql::free_strays, actor::relay, status::fresh, strays},
        {sql::free_waiting_strays, actor::relay, status::fresh, strays, Waits::held},
        {sql::reset_ready, actor::recovery, status::fresh,
         [](const Event& event) {
             return Params{array(event.bucket), 0};
         }},
        {sql::reset_waiting, actor::recovery, status::fresh,
         [](const Event& event) { return Params{array(event.bucket)}; }, Waits::held},
        {sql::retry, actor::retry, status::fresh, ids},
        {sql::skip, actor::skip, status::skipped,
         [](const Event& event) {
             return Params{array(event.id), "why", "t"};
         }},
        reconciles(status::sent),
        reconciles(status::failed),
        {sql::unsend, actor::adopt, status::fresh, [](const Event&) { return Params{}; }},
        {sql::unsend, actor::reconcile, status::fresh, [](const Event&) { return Params{}; }}};
    for (const auto to : {status::sent, status::failed, status::skipped}) {
        changes.push_back(settles(sql::settle_ready, to, Waits::no));
        changes.push_back(settles(sql::settle_waiting, to, Waits::held));
    }
    return changes;
}

class TransitionsInPostgres : public StoreTest {
protected:
    Event event_in(std::string_view state, Waits waits) {
        database_.query("DELETE FROM outbox_blocked_keys");
        database_.query("DELETE FROM outbox_events");
        const auto row = database_.query(fmt::format(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic,"
            " status, next_attempt_at) VALUES (gen_random_uuid(), 'user', 'a', 'user.created', '{{}}',"
            " 't', {}, {}) RETURNING id, ctid, seq, bucket, encode('a', 'hex')",
            state == "NULL" ? "NULL" : fmt::format("'{}'", state),
            waits == Waits::no    ? "NULL"
            : waits == Waits::due ? "clock_timestamp()"
                                  : "'infinity'"))[0];
        database_.query("UPDATE outbox_shards SET claimed_seq = 1000000000");
        return {row[0], row[1], row[2], row[3], row[4]};
    }
    std::string state() { return database_.value("SELECT coalesce(status, 'NEW') FROM outbox_events"); }
    void run(const postgres::Statement& statement, const Params& params) {
        session_.run(statement, params, Deadline::in(patience));
    }
};

TEST_F(TransitionsInPostgres, AreThoseOfTheTableAndNoOthers) {
    std::set<std::tuple<std::string_view, std::string_view, std::string_view>> seen;
    for (const Change& change : all_changes()) {
        for (const std::string_view before : {"NULL", "NEW", "PROCESSING", "SENT", "FAILED", "SKIPPED"}) {
            const std::string_view from = before == "NULL" ? status::fresh : before;
            const Event event = event_in(before, change.waits);
            run(change.statement, change.params(event));
            const bool allowed = may(change.who, from, change.to);
            EXPECT_EQ(state(), allowed ? change.to : from)
                << change.statement.name << " of " << change.who << ", from " << before;
            if (allowed) {
                seen.emplace(change.who, from, change.to);
            }
        }
    }
    for (const Transition& each : transitions) {
        EXPECT_TRUE(seen.contains({each.who, each.from, each.to}))
            << "no statement brings an event from " << each.from << " to " << each.to << " for " << each.who;
    }
}

/// By its place, which each change of the row moves.
TEST_F(TransitionsInPostgres, OfRowsThatStandWhereTheyStoodAreTheSame) {
    for (const std::string_view from : all_statuses) {
        const Event event = event_in(from, Waits::no);
        const auto file = database_.value("SELECT pg_relation_filenode('outbox_events')");
        run(sql::mark_sent, {array(event.tid), array(event.seq), "{0}", "{0}", file});
        EXPECT_EQ(state(), may(actor::relay, from, status::sent) ? status::sent : from);
    }
}

TEST_F(TransitionsInPostgres, SkippingTakesNothingThatMayBeInFlightUnlessItIsForced) {
    const auto skipped = [&](std::string_view from, Waits waits) {
        const Event event = event_in(from, waits);
        run(sql::skip, {array(event.id), "why", "f"});
        return state();
    };
    EXPECT_EQ(skipped("NULL", Waits::no), "NEW");
    EXPECT_EQ(skipped(status::fresh, Waits::no), "NEW");
    EXPECT_EQ(skipped(status::fresh, Waits::held), "SKIPPED");
    EXPECT_EQ(skipped(status::processing, Waits::no), "PROCESSING");
    EXPECT_EQ(skipped(status::processing, Waits::held), "PROCESSING");
    EXPECT_EQ(skipped(status::failed, Waits::no), "SKIPPED");
}

TEST_F(TransitionsInPostgres, AreTestedForEachStatementThatChangesAState) {
    std::set<std::string> tested{"outbox_mark_sent", "outbox_try_change"}; // the second is rolled back
    for (const Change& change : all_changes()) {
        tested.insert(change.statement.name);
    }
    const std::regex changes(R"(UPDATE outbox_events AS o\s+SET status)");
    for (const NamedStatement& statement : all_statements()) {
        if (std::regex_search(std::string(statement.sql), changes)) {
            EXPECT_TRUE(tested.contains(std::string(statement.name)))
                << statement.name << " has no test here";
        }
    }
}

} // namespace
} // namespace outbox::store
