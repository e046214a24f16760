// Recovery's questions to Kafka, asked of real brokers. A control topic that is missing is told apart
// from one that cannot be read: without it nobody knows what was sent.

#include "shard/kafka_brokers.hpp"

#include "shard/gone_rows.hpp"
#include "shard/lost_markers.hpp"

#include <outbox/delivery/control_topic.hpp>
#include <outbox/kafka/error.hpp>

namespace outbox::relay {

std::unique_ptr<Markers> KafkaBrokers::markers(store::ShardDatabase& database, std::string ids,
                                               std::vector<std::string> lanes, Patience patience) {
    return std::make_unique<LostMarkers>(kafka::Transactions(admin_, client_), control_topic_, database,
                                         std::move(ids), std::move(lanes), std::move(patience), observer_);
}

kafka::ControlTail KafkaBrokers::read_manifests(const store::Acquired& acquired, const Patience& patience) {
    const int shard = acquired.ownership.shard;
    const auto& marked = acquired.marked;
    try {
        return kafka::read_control(client_, admin_, control_topic_, shard,
                                   marked.batch == 0 ? -1 : marked.offset, patience.deadline, patience.go_on);
    } catch (const kafka::KafkaError& error) {
        if (!kafka::is_missing(error.code())) {
            throw;
        }
        throw delivery::missing_control_topic(control_topic_, shard, cluster_,
                                              admin_.cluster_id(patience.deadline));
    }
}

void KafkaBrokers::find_gone(store::ShardDatabase& database, int shard, Settle& settle,
                             const Patience& patience) {
    relay::find_gone(client_, admin_, watch_, {database, shard}, settle, patience);
}

bool KafkaBrokers::can_be_asked(const std::string& topic) {
    const auto state = admin_.topic(topic, Deadline::in(std::chrono::seconds(1)));
    return !state || state->led();
}

} // namespace outbox::relay
