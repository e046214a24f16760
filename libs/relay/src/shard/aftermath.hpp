#pragma once

#include "node/outlived.hpp"
#include "shard/clock.hpp"
#include "shard/control_doubt.hpp"
#include "shard/fencing.hpp"
#include "shard/step.hpp"
#include "shard/suspects.hpp"
#include "shard/troubles.hpp"

#include <outbox/delivery/publisher.hpp>
#include <outbox/delivery/topic_book.hpp>
#include <outbox/relay/observer.hpp>
#include <outbox/store/shard_database.hpp>

namespace outbox::relay {

/// What the end of a batch's transaction means for the topics, the events and the shards. Nothing is marked
/// here.
class Aftermath {
public:
    /// What it is made with outlives it.
    /// @param pipeline  its number
    Aftermath(int pipeline, delivery::TopicBook& topics, Outlived& outlived, const Clock& clock,
              Suspects& suspects, ControlDoubt& control, Troubles& troubles, Observer& observer)
        : pipeline_(pipeline),
          topics_(topics),
          outlived_(outlived),
          clock_(clock),
          suspects_(suspects),
          control_(control),
          troubles_(troubles),
          observer_(observer) {}

    /// @return done when the batch is committed and nothing of it is under way
    /// @param fencing  whose lanes sent it @param ownerships  of the shards that are served
    Step of(const delivery::BatchEnd& end, store::ShardDatabase& database, Fencing& fencing,
            const store::Ownerships& ownerships);

private:
    void sent(const delivery::Batch& batch, milliseconds throttled);
    Step failed(const delivery::Batch& batch, const kafka::TransactionEnd& end);
    Step fenced(store::ShardDatabase& database, Fencing& fencing, const store::Ownerships& ownerships);
    Step control_topic_refuses(const std::string& why);
    struct Told {
        bool asked = false; ///< brokers answered
        bool explains = false;
        bool control = false;
    };
    Told brokers_tell(const delivery::Batch& batch);
    void note_throttle(milliseconds throttled);

    int pipeline_;
    delivery::TopicBook& topics_;
    Outlived& outlived_;
    const Clock& clock_;
    Suspects& suspects_;
    ControlDoubt& control_;
    Troubles& troubles_;
    Observer& observer_;
};

} // namespace outbox::relay
