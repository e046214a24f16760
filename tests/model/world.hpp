#pragma once

#include "relay.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace outbox::model {

/// A word decides one step, together with what there is at that moment; so a schedule stays one when words
/// are taken out of it.
struct Schedule {
    std::uint64_t seed = 0; ///< of what is fixed for the whole of it
    std::vector<std::uint32_t> words;
};
Schedule schedule_of(std::uint64_t seed);

/// Cluster, database, writers, relays of two shards, and what may happen to them.
class World {
public:
    World(const Schedule& schedule, const Cures& cures, Trace* trace = nullptr);

    /// Plays the schedule, then ends all faults and lets everything come to rest.
    /// @return what is wrong; nullopt when every event is visible exactly once and in order
    std::optional<std::string> play();
    [[nodiscard]] const Counts& counts() const { return world_.counts; }

private:
    /// What happens more often than else.
    enum class Mood { any, late_requests, takeovers, slow_topics, count };
    enum class Special { none, restore, empty_control, foreign, count };

    void step(std::uint32_t word);
    void network_step(Dice& dice);
    void writer_step(Dice& dice);
    void relay_step(Dice& dice);
    void fault(Dice& dice);
    void relay_fault(Dice& dice);
    void database_fault(Dice& dice);
    void special_fault(Dice& dice);
    void deliver(std::size_t which);
    void come_to_rest();
    [[nodiscard]] bool at_rest() const;
    [[nodiscard]] const Relay* stopped(int shard) const;
    [[nodiscard]] bool excused() const { return special_played_; }
    [[nodiscard]] std::optional<std::string> verdict();
    [[nodiscard]] std::optional<std::string> judge_visible(std::vector<int>& seen) const;
    [[nodiscard]] std::optional<std::string> judge_rows(const std::vector<int>& seen) const;
    Relay& any(Dice& dice) { return relays_[static_cast<std::size_t>(dice.below(relay_count))]; }
    void say(const char* what) const;

    const Schedule& schedule_;
    Dice setup_;
    Mood mood_;
    Special special_;
    bool asynchronous_;
    Database database_;
    Kafka kafka_;
    Network network_;
    Writers writers_;
    Surroundings world_;
    std::deque<Relay> relays_;
    bool special_played_ = false; ///< something happened after which a shard may stop
    bool restored_ = false;       ///< and what the database knew since its backup is gone
};

/// Words that are not needed for it to fail are taken out.
Schedule shrink(const Schedule& schedule, const Cures& cures);
/// What happens in it, a step a line, and the verdict.
std::string tell(const Schedule& schedule, const Cures& cures);

} // namespace outbox::model
