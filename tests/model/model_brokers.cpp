#include "model_brokers.hpp"

#include "fiber.hpp"
#include "model_lane.hpp"

#include <outbox/delivery/manifest.hpp>

namespace outbox::model {
namespace {

using Kind = delivery::IdentityVerdict::Kind;

struct NoMarkers final : relay::Markers {
    void note() override {}
    std::vector<std::string> write() override { return {}; }
};

} // namespace

std::unique_ptr<relay::Markers> ModelBrokers::markers(store::ShardDatabase&, std::string,
                                                      std::vector<std::string>, relay::Patience) {
    return std::make_unique<NoMarkers>(); // no broker of the model loses one
}

kafka::ControlTail ModelBrokers::read_manifests(const store::Acquired& acquired, const relay::Patience&) {
    const Surroundings& world = life_.world;
    const int partition = control + acquired.ownership.shard;
    const auto& log = world.kafka.log(partition);
    Fiber::wait();
    const int watermark = world.have(Cure::high_watermark) ? static_cast<int>(log.size())
                                                           : world.kafka.last_stable_offset(partition);
    do {
        Fiber::wait(); // an open transaction holds the reader back
    } while (world.kafka.last_stable_offset(partition) < watermark &&
             static_cast<int>(log.size()) >= watermark);
    kafka::ControlTail tail{0, watermark, {}};
    const std::int64_t from = acquired.marked.batch == 0 ? 0 : acquired.marked.offset;
    const std::int64_t end = world.kafka.last_stable_offset(partition);
    for (auto offset = from; offset < end; ++offset) {
        const LogRecord& record = log[static_cast<std::size_t>(offset)];
        if (record.fate == Fate::committed && record.payload != LogRecord::marker) {
            const auto number = static_cast<std::size_t>(record.payload);
            auto& manifest = tail.records.emplace_back();
            manifest.offset = offset;
            manifest.value = world.manifests[number];
            manifest.headers.emplace(delivery::slot_header, world.slot_of_manifest[number]);
        }
    }
    life_.say("has read ", tail.records.size(), " manifests of shard ", acquired.ownership.shard);
    return tail;
}

delivery::TopicVerdict ModelTopics::look_up(const std::string&, Deadline, SteadyClock::time_point) {
    delivery::TopicVerdict verdict;
    verdict.partitions = data_partitions;
    return verdict;
}

delivery::IdentityVerdict ModelIdentities::compare(const delivery::TopicIdentities&,
                                                   SteadyClock::time_point) const {
    Surroundings& world = life_.world;
    for (const ModelLane* lane : life_.lanes) {
        if (lane->commit_is_open() || lane->commit_failed()) {
            return {lane->commit_failed() ? Kind::changed : Kind::open, "events"};
        }
    }
    // Nothing is claimed before a batch that names no event is marked.
    const bool slow = world.slow_topics && !life_.first_only;
    const bool late = world.faults && (slow ? !world.dice.one_in(64) : world.dice.one_in(4));
    return {late ? Kind::open : Kind::same, {}};
}

void ModelClock::wait(delivery::Signal&, SteadyClock::duration) {
    Fiber::wait();
}

} // namespace outbox::model
