#pragma once

#include "shard/clock.hpp"
#include "shard/pipeline.hpp"
#include "shard/refused_rows.hpp"
#include "shard/shard_machine.hpp"
#include "shard/shard_session.hpp"
#include "shard/suspects.hpp"
#include "shard/waiting_keys.hpp"

#include <outbox/delivery/claim_budget.hpp>
#include <outbox/postgres/error.hpp>
#include <outbox/relay/observer.hpp>
#include <outbox/store/shard_database.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace outbox::relay {

/// Marks what Kafka has and claims what comes next, in one guarded transaction, and goes around events that
/// cannot be read or changed.
class Claims {
public:
    struct Settings {
        int pipeline = 0;    ///< its number
        int shard_count = 1; ///< which shard a row is of follows from it
        store::ClaimLimits limits;
        bool block_failed_keys = false; ///< later events of a key wait behind one that is FAILED
    };
    /// What it is made with outlives it.
    /// Is told which shards have events that cannot be changed, so that a part of them does not get on; and
    /// when there are none any more.
    struct Parts {
        std::function<void(const std::set<int>& shards, const std::string& why)> limp;
        std::function<void()> walk;
    };
    /// @param ownerships  of the shards that are served
    Claims(Settings settings, ShardSession& session, const store::Ownerships& ownerships,
           delivery::ClaimBudget& budget, const Clock& clock, Pipeline& pipeline, WaitingKeys& keys,
           Suspects& suspects, Pace& pace, Parts parts, Observer& observer)
        : settings_(settings),
          session_(session),
          ownerships_(ownerships),
          budget_(budget),
          clock_(clock),
          pipeline_(pipeline),
          keys_(keys),
          suspects_(suspects),
          pace_(pace),
          parts_(std::move(parts)),
          observer_(observer) {}

    /// A recovery has ended.
    void begin();

    /// A claim may meet an event that the server cannot hand out, or change, and then it has none of the
    /// others either: that event alone is gone around. What Kafka has is marked all the same.
    /// @param parked  topics whose rows are left alone
    store::RowSet turn(const Pass& pass, const std::vector<std::string>& parked);

    /// About all that it may, and that is not little because an event is being sought.
    [[nodiscard]] bool took_much() const { return took_much_; }

    /// An unguarded look tells whether a claim is worth its lock.
    bool worth_a_turn(const std::vector<std::string>& parked);
    /// Events that were found unreadable become FAILED.
    void fail_unreadable();
    /// Now and then what could not be changed is claimed again.
    void try_refused();
    /// How long some are left out yet; nullopt: none is.
    [[nodiscard]] std::optional<milliseconds> until_refused_are_tried() const {
        return refused_.until_tried(clock_.now());
    }
    /// A million events of a parked topic may lie before those of the others.
    /// @param again  old rows have become ready: claims begin at the head
    void skip_parked(const std::vector<std::string>& parked, bool again);
    /// Now and then, for rows whose state somebody has set by hand.
    void free_strays();
    /// Other buckets are served from now on.
    void serve_others() { next_strays_ = {}; }

private:
    [[nodiscard]] store::ClaimLimits limits() const;
    [[nodiscard]] bool is_much(const store::RowSet& claimed) const;
    store::RowSet mark_and_claim(const Pass& pass, const std::vector<std::string>& parked);
    void tell_marked(happened::Span took) const;
    bool leave_out_refused();
    void leave_out(std::span<const store::UnreadableRow> rows);
    bool claim_less(const postgres::DatabaseError& error);
    void look_for_unreadable(const postgres::DatabaseError& error);
    store::ShardDatabase& database() { return session_.database(); }

    Settings settings_;
    ShardSession& session_;
    const store::Ownerships& ownerships_;
    delivery::ClaimBudget& budget_;
    const Clock& clock_;
    Pipeline& pipeline_;
    WaitingKeys& keys_;
    Suspects& suspects_;
    Pace& pace_;
    Parts parts_;
    Observer& observer_;
    RefusedRows refused_;
    bool took_much_ = false;
    bool unanswered_ = false; ///< the last claim ended with its connection
    SteadyClock::time_point next_skip_{};
    SteadyClock::time_point next_strays_{};
    SteadyClock::time_point next_head_{}; ///< claims begin at the head then, whatever is known
};

} // namespace outbox::relay
