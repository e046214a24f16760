#pragma once

#include "shard/brokers.hpp"
#include "shard/shard_session.hpp"
#include "shard/step.hpp"

#include <outbox/delivery/publisher.hpp>
#include <outbox/delivery/topic_book.hpp>
#include <outbox/relay/observer.hpp>
#include <outbox/store/relays.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::relay {

/// With what a shard begins to work.
struct Recovered {
    store::Ownership ownership;
    std::int64_t next_batch = 1;
    std::vector<std::string> unmarked_topics; ///< where a lost marker must be written first
};

/// Makes a shard this relay's, and finds out what was sent: takes it, destroys what an earlier owner may have
/// under way, reads the manifests, and brings the rows in line with them. Each step leads to the next; after
/// one that is not done it begins anew with take().
class Recovery {
public:
    struct Settings {
        int shard = 0;
        Uuid relay;
        const store::Identity& identity;
        bool block_failed_keys = false; ///< later events of a key wait behind one that is FAILED
    };
    /// What it is made with outlives it.
    Recovery(Settings settings, ShardSession& session, Brokers& brokers, delivery::TopicBook& topics,
             delivery::Publisher& publisher, Observer& observer)
        : settings_(settings),
          session_(session),
          brokers_(brokers),
          topics_(topics),
          publisher_(publisher),
          observer_(observer) {}

    /// Takes the shard in the database.
    Step take();
    /// Destroys both lanes, makes and initialises new ones: earlier transactions are decided then.
    Step fence();
    /// Reads the manifests after the last durable mark.
    Step read();
    /// Brings the rows in line with them.
    Step settle();
    /// @pre settle() is done
    [[nodiscard]] Recovered recovered() const;

    /// Under which the shard is this relay's, as far as is known; null: it is not.
    [[nodiscard]] const store::Ownership* ownership() const {
        return acquired_ ? &acquired_->ownership : nullptr;
    }
    /// It is not any more.
    void disown() { acquired_.reset(); }

private:
    [[nodiscard]] Patience patience();
    void tell(const store::Settled& settled) const;

    Settings settings_;
    ShardSession& session_;
    Brokers& brokers_;
    delivery::TopicBook& topics_;
    delivery::Publisher& publisher_;
    Observer& observer_;
    std::optional<store::Acquired> acquired_;
    SteadyClock::time_point began_{};
    Settle settle_; ///< what the manifests ask for
    std::vector<std::string> unmarked_topics_;
};

} // namespace outbox::relay
