#pragma once

#include "shard/brokers.hpp"
#include "shard/clock.hpp"
#include "shard/shard_session.hpp"

#include <outbox/delivery/identity_watch.hpp>
#include <outbox/delivery/topic_book.hpp>
#include <outbox/relay/observer.hpp>

namespace outbox::relay {

/// Where a shard's loop ends and servers and time begin: the model of the protocol puts its own behind these,
/// and runs the loop as it is. The lanes are made by RelayOptions::make_lane. The observer is told what the
/// loop does, and changes nothing.
struct Seams {
    ShardSession& session;
    Brokers& brokers;
    delivery::TopicBook& topics;
    delivery::IdentityWatch& identities;
    Clock& clock;
    Observer& observer;
};

} // namespace outbox::relay
