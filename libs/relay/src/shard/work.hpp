#pragma once

#include "batch/batch_builder.hpp"
#include "node/outlived.hpp"
#include "node/pauses.hpp"
#include "shard/aftermath.hpp"
#include "shard/claims.hpp"
#include "shard/pipeline.hpp"
#include "shard/recovery.hpp"
#include "shard/seams.hpp"
#include "shard/shard_bell.hpp"
#include "shard/shard_machine.hpp"
#include "shard/unmarked_topics.hpp"
#include "shard/waiting_keys.hpp"

#include <outbox/delivery/claim_budget.hpp>
#include <outbox/relay/options.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>

namespace outbox::relay {

/// What a shard does between two recoveries, pass by pass: collects what was sent, marks it, claims what
/// comes next, builds a batch of it and sends it.
class Work {
public:
    struct Settings {
        int shard = 0;
        const RelayOptions& options;
        const Uuid& outbox_id;
        const Pauses& pauses;
        delivery::ClaimBudget& budget; ///< of all shards of the relay
        Outlived& outlived;
    };
    /// What it is made with outlives it.
    Work(const Settings& settings, const Seams& seams, delivery::Publisher& publisher, ShardBell& bell,
         ControlDoubt& control, Troubles& troubles);

    /// A recovery has ended: nothing is in hand but a batch without events where one is needed, and what was
    /// known is looked up again.
    void begin(const Recovered& recovered);
    /// A recovery decides about what is in hand.
    void drop() { pipeline_.clear(); }

    struct Passed {
        Step step;
        bool worked = false; ///< the next pass is due at once
    };
    Passed pass(const Wishes& wished);
    /// Until there may be something to do, after a pass that did nothing.
    void wait();
    /// A pause has ended.
    void wake();

    [[nodiscard]] InHand in_hand() const { return pipeline_.in_hand(); }
    /// Events claimed and not yet marked.
    [[nodiscard]] std::size_t events() const { return pipeline_.events(); }

private:
    Step collect();
    Step prove();
    void tend_waiting();
    bool turn(const Wishes& wished);
    delivery::ClaimBudget::Held room();
    delivery::LeftOut left_out();
    void forget_marked();
    void build(store::RowSet claimed, delivery::ClaimBudget::Held held, const delivery::LeftOut& left_out);
    void write_refusals(const BuiltBatch& built);
    void tell_end(const delivery::BatchEnd& end) const;
    void tell(std::span<const store::FailedAttempt> attempts, const std::string& dead_letter_topic);
    void note_parked(const BuiltBatch& built);
    void note_topics(const delivery::Batch& batch);
    void finish(std::unique_ptr<delivery::Batch> batch);
    void sleep();
    [[nodiscard]] milliseconds longest_sleep(const store::Peek& seen) const;
    store::ShardDatabase& database() { return seams_.session.database(); }

    Settings settings_;
    Seams seams_;
    ShardBell& bell_;
    ControlDoubt& control_;
    Suspects suspects_;
    Pipeline pipeline_;
    WaitingKeys keys_;
    UnmarkedTopics unmarked_;
    Pace pace_;
    Claims claims_;
    Aftermath aftermath_;
    store::Ownership ownership_;
    std::int64_t next_batch_ = 1;
    std::set<std::string, std::less<>> noted_topics_; ///< the database knows that events go there
};

} // namespace outbox::relay
