#pragma once

#include <outbox/store/relays.hpp>
#include <outbox/store/shard.hpp>
#include <outbox/support/database.hpp>
#include <outbox/support/wait.hpp>

#include <gtest/gtest.h>

namespace outbox::store {

using namespace std::chrono_literals;

/// A database of the test's own whose only shard belongs to a relay that the test plays.
class StoreTest : public testing::Test {
protected:
    static constexpr milliseconds patience = 30s;

    StoreTest() {
        store_.serve({0});
        ownership_ = store_.acquire(0, relay_, identity_)->ownership;
    }

    static void script(postgres::Connection& session, const std::string& sql) {
        session.script(sql, Deadline::in(patience));
    }

    /// As PostgreSQL explains it, with these arguments.
    std::string plan_of(const postgres::Statement& statement, const std::string& arguments) {
        script(session_, std::string("PREPARE looked AS ") + statement.sql);
        std::string plan;
        const auto lines =
            session_.query("EXPLAIN EXECUTE looked (" + arguments + ")", {}, Deadline::in(patience));
        for (int i = 0; i < lines.rows(); ++i) {
            plan += lines.text(i, 0) + "\n";
        }
        script(session_, "DEALLOCATE looked");
        return plan;
    }

    support::TestDatabase database_;
    postgres::Connection session_ = database_.connect();
    const Identity identity_ = establish_identity(session_, {{}, "store-test", "no-cluster", 1}, patience);
    const Uuid relay_ = Uuid::random();
    ShardStore store_{session_, {1, patience}};
    Ownership ownership_;
    const Slot slot_ = store_.lease_slot(relay_, -1);
};

} // namespace outbox::store
