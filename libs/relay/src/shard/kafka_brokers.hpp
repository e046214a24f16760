#pragma once

#include "shard/brokers.hpp"

#include <outbox/delivery/topic_watch.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/relay/observer.hpp>

#include <string>

namespace outbox::relay {

/// The brokers themselves. Outlived by what it is made with.
class KafkaBrokers final : public Brokers {
public:
    /// @param cluster  id of the one that the outbox belongs to
    KafkaBrokers(const kafka::ClientOptions& client, const kafka::Admin& admin, delivery::TopicWatch& watch,
                 std::string control_topic, std::string cluster, Observer& observer)
        : client_(client),
          admin_(admin),
          watch_(watch),
          control_topic_(std::move(control_topic)),
          cluster_(std::move(cluster)),
          observer_(observer) {}

    std::unique_ptr<Markers> markers(store::ShardDatabase& database, std::string ids,
                                     std::vector<std::string> lanes, Patience patience) override;
    kafka::ControlTail read_manifests(const store::Acquired& acquired, const Patience& patience) override;
    void find_gone(store::ShardDatabase& database, int shard, Settle& settle,
                   const Patience& patience) override;
    bool can_be_asked(const std::string& topic) override;

private:
    const kafka::ClientOptions& client_;
    const kafka::Admin& admin_;
    delivery::TopicWatch& watch_;
    std::string control_topic_;
    std::string cluster_;
    Observer& observer_;
};

} // namespace outbox::relay
