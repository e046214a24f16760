#pragma once

#include "shard/brokers.hpp"
#include "shard/fencing.hpp"
#include "shard/shard_session.hpp"
#include "shard/step.hpp"

#include <outbox/relay/observer.hpp>
#include <outbox/store/relays.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace outbox::relay {

/// With what a shard begins to work.
struct Recovered {
    store::Ownership ownership;
    std::int64_t next_batch = 1;
};

/// Makes a shard this relay's, and finds out what was sent: takes it, destroys what an earlier owner may have
/// under way, reads the manifests, and brings the rows in line with them. Each step leads to the next; after
/// one that is not done it begins anew with take().
class Recovery {
public:
    struct Settings {
        Uuid relay;
        const store::Identity& identity;
        bool block_failed_keys = false; ///< later events of a key wait behind one that is FAILED
    };
    /// What it is made with outlives it.
    Recovery(int shard, const Settings& settings, ShardSession& session, Brokers& brokers, Fencing& fencing,
             Observer& observer)
        : shard_(shard),
          settings_(settings),
          session_(session),
          brokers_(brokers),
          fencing_(fencing),
          observer_(observer) {}

    /// Takes the shard in the database. @param most  how long the recovery may last
    Step take(milliseconds most);
    /// Fences the producers under which events of the shard may be under way.
    Step fence();
    /// Reads the manifests after the last durable mark.
    Step read();
    /// Brings the rows in line with them. From then on the shard's events are sent under the pipeline's slot.
    Step settle();
    /// @pre settle() is done
    [[nodiscard]] Recovered recovered() const { return {acquired_->ownership, acquired_->marked.batch + 1}; }

    /// Under which the shard is this relay's, as far as is known; null: it is not.
    [[nodiscard]] const store::Ownership* ownership() const {
        return acquired_ ? &acquired_->ownership : nullptr;
    }
    /// It is not any more.
    void disown() { acquired_.reset(); }

private:
    [[nodiscard]] Patience patience();
    bool fence_unknown();
    void tell(const store::Settled& settled) const;

    int shard_;
    const Settings& settings_;
    ShardSession& session_;
    Brokers& brokers_;
    Fencing& fencing_;
    Observer& observer_;
    std::optional<store::Acquired> acquired_;
    SteadyClock::time_point began_{};
    milliseconds most_{0};                 ///< it may last
    std::vector<store::SentUnder> fenced_; ///< since take()
    Settle settle_;                        ///< what the manifests ask for
};

} // namespace outbox::relay
