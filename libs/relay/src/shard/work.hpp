#pragma once

#include "batch/batch_builder.hpp"
#include "node/outlived.hpp"
#include "node/pauses.hpp"
#include "shard/aftermath.hpp"
#include "shard/claims.hpp"
#include "shard/fencing.hpp"
#include "shard/pipeline.hpp"
#include "shard/pipeline_bell.hpp"
#include "shard/recovery.hpp"
#include "shard/seams.hpp"
#include "shard/shard_machine.hpp"
#include "shard/unmarked_topics.hpp"
#include "shard/waiting_keys.hpp"

#include <outbox/delivery/claim_budget.hpp>
#include <outbox/relay/options.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace outbox::relay {

/// What a pipeline does between two recoveries, pass by pass, for all shards that have joined: collects what
/// was sent, marks it, claims what comes next, builds a batch of it and sends it in one transaction, with a
/// manifest for each shard that has some.
class Work {
public:
    struct Settings {
        int pipeline = 0; ///< its number
        int shard_count = 1;
        const RelayOptions& options;
        const Uuid& outbox_id;
        const Pauses& pauses;
        delivery::ClaimBudget& budget; ///< of all pipelines of the relay
        Outlived& outlived;
    };
    /// What it is made with outlives it.
    Work(const Settings& settings, const Seams& seams, Fencing& fencing, delivery::Publisher& publisher,
         PipelineBell& bell, ControlDoubt& control, Troubles& troubles, Claims::Parts parts);

    /// The lanes are new: nothing is in hand, no shard has joined, and what was known is looked up again.
    void begin();
    /// Recoveries decide about what is in hand.
    void drop();
    /// A shard is recovered. Its first manifest under this owner is marked before anything of it is claimed.
    void join(const Recovered& recovered);
    /// It is served no more. @pre !holds(shard)
    void leave(int shard);
    [[nodiscard]] bool has(int shard) const { return crew_.contains(shard); }
    /// Events of the shard are between claim and mark.
    [[nodiscard]] bool holds(int shard) const { return pipeline_.holds(shard); }
    [[nodiscard]] const store::Ownerships& ownerships() const { return ownerships_; }

    struct Passed {
        Step step;
        bool worked = false; ///< the next pass is due at once
    };
    /// @param wanted  shards of which something is to be claimed
    Passed pass(const std::set<int>& wanted);
    /// Until there may be something to do, after a pass that did nothing; at most so long.
    void wait(milliseconds most);
    /// A pause has ended.
    void wake();

    /// Events claimed and not yet marked.
    [[nodiscard]] std::size_t events() const { return pipeline_.events(); }
    /// The last claim took about all that it may.
    [[nodiscard]] bool behind() const { return !served_.empty() && claims_.took_much(); }

private:
    Step collect();
    Step prove();
    void tend_waiting();
    void serve(const std::set<int>& wanted);
    bool finish_first();
    bool turn();
    delivery::ClaimBudget::Held room();
    delivery::LeftOut left_out();
    void forget_marked();
    void build(store::RowSet claimed, delivery::ClaimBudget::Held held, const delivery::LeftOut& left_out);
    void write_refusals(const BuiltBatch& built);
    void tell_end(const delivery::BatchEnd& end) const;
    void tell(std::span<const store::FailedAttempt> attempts, const std::string& dead_letter_topic);
    void note_parked(const BuiltBatch& built);
    void note_topics(const delivery::Batch& batch);
    void finish(std::unique_ptr<delivery::Batch> batch, const std::set<int>& shards);
    void sleep(milliseconds most);
    [[nodiscard]] milliseconds longest_sleep(const store::Peek& seen) const;
    store::ShardDatabase& database() { return seams_.session.database(); }

    Settings settings_;
    Seams seams_;
    Fencing& fencing_;
    PipelineBell& bell_;
    ControlDoubt& control_;
    Suspects suspects_;
    Pipeline pipeline_;
    WaitingKeys keys_;
    UnmarkedTopics unmarked_;
    Pace pace_;
    Claims claims_;
    Aftermath aftermath_;
    std::map<int, std::int64_t> crew_; ///< the shards that are served, with the number of their next batch
    store::Ownerships ownerships_;     ///< of the same
    std::set<int> beginners_;          ///< whose first manifest under this owner is not marked yet
    std::set<int> unannounced_;        ///< those of them whose first manifest is not made yet
    std::set<int> served_;             ///< the database knows that claims are about these
    bool proof_due_ = false;           ///< that the control topic takes records
    std::set<std::string, std::less<>> noted_topics_; ///< the database knows that events go there
};

} // namespace outbox::relay
