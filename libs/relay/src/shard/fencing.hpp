#pragma once

#include "shard/brokers.hpp"
#include "shard/shard_session.hpp"
#include "shard/step.hpp"

#include <outbox/delivery/publisher.hpp>
#include <outbox/delivery/topic_book.hpp>
#include <outbox/relay/observer.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace outbox::relay {

/// Sees to it that nobody else's producers can add to what a pipeline reads and writes: leases the pipeline's
/// slot and initialises its lanes, and fences the producers under which events of a shard were sent before.
///
/// It rests on this. A slot's epoch is raised only by who read it before he initialised both producers. So an
/// epoch above the one that a shard's row names says that the producers of that one are fenced, and that what
/// they sent is decided.
class Fencing {
public:
    struct Settings {
        Uuid relay;
        const Uuid& outbox_id;
    };
    /// What it is made with outlives it.
    Fencing(Settings settings, ShardSession& session, Brokers& brokers, delivery::TopicBook& topics,
            delivery::Publisher& publisher, Observer& observer)
        : settings_(settings),
          session_(session),
          brokers_(brokers),
          topics_(topics),
          publisher_(publisher),
          observer_(observer) {}

    /// Leases a slot, and makes the publisher's lanes anew under its ids. @pre the session is open
    Step begin();
    /// The lanes are gone or doubtful: begin() is due.
    void drop() { slot_.reset(); }
    /// The one under which the lanes were made; null: they are to be made.
    [[nodiscard]] const store::Slot* slot() const { return slot_ ? &*slot_ : nullptr; }
    /// Whether it still has the epoch under which the lanes were made: else somebody has fenced them.
    [[nodiscard]] bool stands();

    /// Events of the shard may be under way under these: they are not any more when this returns.
    /// @pre slot() @return whether some were fenced now
    bool fence(const store::SentUnder& before, int shard, const Patience& patience);

    /// Topics where a lost marker is to be written, of partitions that have no leader to ask now.
    [[nodiscard]] std::set<std::string> unmarked_topics() const;

private:
    /// Of a slot it is owed by whoever has raised it last.
    struct Debt {
        std::vector<std::string> topics; ///< wait for markers
        std::optional<store::Slot> slot; ///< as it was left; null: of a shard
    };

    bool fence_slot(const store::Slot& then, const Patience& patience);
    void fence_ids(const std::string& ids, const std::optional<store::Slot>& slot, const Patience& patience);
    template <class Initialise>
    void between_markers(const std::string& ids, const std::optional<store::Slot>& slot,
                         const Patience& patience, Initialise initialise);
    template <class Initialise>
    std::optional<store::Slot> raise_after(const store::Slot& slot, Initialise initialise);
    void note_raised(const std::string& ids, const std::optional<store::Slot>& raised);
    void set_aside(int slot);
    void pay_debts(const std::string& own, const Patience& patience);
    [[nodiscard]] std::string prefix(const std::string& ids) const;

    Settings settings_;
    ShardSession& session_;
    Brokers& brokers_;
    delivery::TopicBook& topics_;
    delivery::Publisher& publisher_;
    Observer& observer_;
    std::optional<store::Slot> slot_;
    int had_ = -1;                      ///< number of the slot that was leased last
    std::vector<int> stuck_;            ///< slots whose transactions did not end, the oldest first
    std::map<std::string, Debt> debts_; ///< by ids
};

} // namespace outbox::relay
