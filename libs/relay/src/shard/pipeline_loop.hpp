#pragma once

#include "node/pauses.hpp"
#include "shard/control_doubt.hpp"
#include "shard/fencing.hpp"
#include "shard/member.hpp"
#include "shard/pipeline_bell.hpp"
#include "shard/seams.hpp"
#include "shard/troubles.hpp"
#include "shard/work.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace outbox::relay {

/// Serves the shards that it is given, all in one turn: one connection, one pair of lanes, one claim, one
/// Kafka transaction. Each shard is taken and recovered for itself, and lets the others work meanwhile when
/// it cannot be. Whatever makes the lanes doubtful concerns them all: then each is recovered anew. start()
/// gives it a thread; a model calls step() instead. The functions that are not step() are thread-safe.
class PipelineLoop {
public:
    struct Settings {
        Uuid relay;
        const store::Identity& identity;
        const std::atomic<unsigned>& kafka_returns; ///< of KafkaWatch
        std::function<void()> ended; ///< called when it has let a shard go: others shall hear of it at once
    };
    /// What it is made with outlives it.
    PipelineLoop(const Settings& settings, const Work::Settings& work, const Seams& seams,
                 delivery::PublisherOptions publisher);
    PipelineLoop(const PipelineLoop&) = delete;
    PipelineLoop& operator=(const PipelineLoop&) = delete;
    ~PipelineLoop();

    /// Runs it on a thread of its own until it has ended.
    void start();
    /// Does what is due. @return false: it has ended
    bool step();

    [[nodiscard]] PipelineBell& bell() { return bell_; }
    [[nodiscard]] bool ended() const { return ended_; }
    /// Events claimed and not yet marked; what a drain that ran out of time leaves to recovery.
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
    /// It serves shards, and its last claim took about all that it may.
    [[nodiscard]] bool behind() const { return behind_; }
    /// Shards that it has let go since the last call: lost, or given back.
    std::vector<int> take_gone();

    /// How a shard gets on, for operators.
    struct View {
        int shard = 0;
        bool needs_kafka = true;                  ///< else it stands still for another reason
        std::optional<Hindrance::Told> hindrance; ///< why it does not get on
        std::optional<Hindrance::Told> slowness;  ///< what holds it back while it gets on
    };
    [[nodiscard]] std::vector<View> views() const;

    ///@{
    /// For a model, between two steps.
    [[nodiscard]] std::optional<ShardState> state(int shard) const;
    [[nodiscard]] delivery::Publisher& publisher() { return publisher_; }
    ///@}

private:
    /// How a step ended, also where it threw.
    struct Ending {
        Step step = {};
        Breaker::Cause cause = Breaker::Cause::passes; ///< of a doubt
        bool expected = true;                          ///< else it is no error of ours
    };
    template <class Perform>
    static Ending ending_of(const Perform& perform);

    void admit();
    void sweep();
    bool end();
    Step perform();
    Step begin();
    Step recover_shards();
    Step work();
    Step check_doubts();
    void limp(const std::set<int>& shards, const std::string& why);
    void settle_wishes();
    void back_off();
    void rest(SteadyClock::time_point until);
    [[nodiscard]] SteadyClock::time_point next_due() const;
    [[nodiscard]] std::set<int> wanted() const;
    [[nodiscard]] Wishes wishes_of(int shard) const {
        return {bell_.releasing(shard), pauses_.has_shard(shard), bell_.hands_over(shard)};
    }

    ///@{
    /// Of the pipeline as a whole.
    void follow(const Ending& ending);
    void recover(const Ending& ending, bool at_once);
    void stop_all(const std::string& reason);
    ///@}

    ///@{
    /// Of one shard. @return false: the session is gone, and with it more than this shard
    bool attempt(Member& member, const std::function<Step()>& step);
    void follow(Member& member, const Ending& ending);
    void recover(Member& member, const Ending& ending);
    void tell_changes(Member& member);
    void stop(Member& member, const std::string& reason);
    void note_stopped(Member& member);
    Step stand_still(Member& member);
    Step settle(Member& member);
    void note_quiet(Member& member, bool quiet);
    void release(Member& member);
    void disown(const Member& member);
    ///@}

    Settings settings_;
    int pipeline_;
    ShardSession& session_;
    Brokers& brokers_;
    const Pauses& pauses_;
    Clock& clock_;
    delivery::IdentityWatch& identities_;
    Observer& observer_;
    Recovery::Settings recovery_;
    PipelineBell bell_;
    Troubles troubles_; ///< of the lanes
    ControlDoubt control_;
    delivery::Publisher publisher_;
    Fencing fencing_;
    Work work_;
    mutable std::mutex members_mutex_; ///< of the map, which only the loop changes
    std::map<int, Member> members_;
    std::vector<int> gone_;
    SteadyClock::time_point until_{}; ///< the lanes are left alone
    unsigned returns_ = 0;            ///< of Kafka, when the lanes were made
    std::atomic<bool> ended_{false};
    std::atomic<std::size_t> in_flight_{0};
    std::atomic<bool> behind_{false};
    std::thread thread_;
};

} // namespace outbox::relay
