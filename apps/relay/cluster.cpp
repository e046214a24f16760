#include "cluster.hpp"

#include <outbox/core/error.hpp>
#include <outbox/delivery/manifest.hpp>
#include <outbox/delivery/name_claim.hpp>
#include <outbox/delivery/publisher.hpp>
#include <outbox/kafka/control_reader.hpp>
#include <outbox/kafka/topic_reader.hpp>
#include <outbox/kafka/transactions.hpp>
#include <outbox/messages/origin.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace outbox {
namespace {

constexpr milliseconds patience{60'000};
constexpr milliseconds first_answer{10'000}; ///< a person waits for it

Deadline in_time() {
    return Deadline::in(patience);
}

bool always() {
    return true;
}

class KafkaCluster final : public verbs::Cluster {
public:
    explicit KafkaCluster(const relay::RelayOptions& options) : options_(options), admin_(options.kafka) {}

    std::string id() override { return admin_.cluster_id(Deadline::in(first_answer)); }

    std::optional<verbs::Holder> holder() override {
        const auto found =
            delivery::find_holder(options_.kafka, admin_, options_.control_topic(), in_time(), always);
        return found ? std::optional(verbs::Holder{found->outbox_id, delivery::to_text(*found)})
                     : std::nullopt;
    }

    verbs::ControlEnds control_ends(const Uuid& outbox_id) override {
        verbs::ControlEnds ends;
        const auto state = admin_.topic(options_.control_topic(), in_time());
        for (int shard = 0; state && shard < state->partitions(); ++shard) {
            if (auto end = end_of(shard, outbox_id, ends.foreign); end.batch > 0) {
                ends.ours.push_back(end);
            }
        }
        return ends;
    }

    void end_transactions(const Uuid& outbox_id, const std::vector<int>& slots,
                          const std::vector<int>& shards) override {
        std::vector<std::string> all;
        std::ranges::transform(slots, std::back_inserter(all), delivery::slot_ids);
        std::ranges::transform(shards, std::back_inserter(all), delivery::shard_ids);
        const Deadline markers = Deadline::in(milliseconds(5'000));
        for (const std::string& ids : all) {
            for (const auto& lane : delivery::lane_ids(delivery::transactional_prefix(outbox_id, ids))) {
                decide(lane, markers);
            }
        }
    }

    std::optional<std::string> topic_of(const std::string& topic, const std::string& aggregate_type,
                                        const std::string& event_type) override {
        store::Row row;
        row.topic = topic;
        row.aggregate_type = aggregate_type;
        row.event_type = event_type;
        messages::Arena arena;
        std::string name(options_.messages.topic.topic_of(row, arena));
        return kafka::is_topic_name(name) ? std::optional(std::move(name)) : std::nullopt;
    }

    verbs::TopicExtent read_topic(const std::string& topic,
                                  const std::function<void(const verbs::SeenRecord&)>& seen) override {
        const auto extent = kafka::read_topic(
            options_.kafka, admin_, topic, patience, [&](const kafka::CommittedRecord& record) {
                const auto origin = messages::origin_of(record.headers, record.value);
                seen({origin.event, kind_of(origin), record.partition, record.offset});
                return true;
            });
        return {extent.exists, extent.whole, extent.written};
    }

private:
    static verbs::SeenRecord::Kind kind_of(const messages::Origin& origin) {
        using Kind = verbs::SeenRecord::Kind;
        if (origin.dead_letter) {
            return Kind::dead_letter;
        }
        return origin.replay ? Kind::replay : Kind::event;
    }

    /// Does not initialise the lane: what the coordinator knows of its last transaction would be forgotten.
    /// A marker for a deleted topic may never be written, so a decided transaction is not waited for without
    /// end: whoever reads a topic waits for the markers there.
    void decide(const std::string& lane, Deadline markers) {
        using Kind = kafka::TransactionState::Kind;
        const Deadline deadline = in_time();
        while (true) {
            try {
                const auto kind = transactions_.describe(lane, deadline).kind;
                if (kind != Kind::ongoing && (kind != Kind::ending || markers.passed())) {
                    return;
                }
                if (kind == Kind::ongoing) {
                    transactions_.fence(lane, deadline);
                }
            } catch (const kafka::KafkaError& error) {
                if (!kafka::passes_soon(error.code()) || deadline.passed()) {
                    throw;
                }
            }
            if (deadline.passed()) {
                throw Error(Action::retry, "the coordinator does not end the last transaction of " + lane);
            }
            std::this_thread::sleep_for(milliseconds(20));
        }
    }

    verbs::ControlEnd end_of(int shard, const Uuid& outbox_id, std::optional<Uuid>& foreign) {
        verbs::ControlEnd end;
        end.shard = shard;
        const auto tail = kafka::read_control(options_.kafka, admin_, options_.control_topic(), shard, -1,
                                              in_time(), always);
        for (const kafka::ControlRecord& record : tail.records) {
            const auto manifest = delivery::decode(record.value);
            if (!manifest) {
                throw Error(Action::stop,
                            fmt::format("control record at offset {} of partition {} cannot be read",
                                        record.offset, shard));
            }
            if (delivery::is_name_claim(*manifest)) {
                continue;
            }
            if (manifest->outbox_id != outbox_id) {
                foreign = manifest->outbox_id;
                continue;
            }
            end.batch = manifest->batch;
            end.offset = record.offset;
            end.epoch = std::max(end.epoch, manifest->epoch);
            for (const delivery::ManifestRow& row : manifest->rows) {
                end.largest_seq = std::max(end.largest_seq, row.seq);
            }
        }
        return end;
    }

    const relay::RelayOptions& options_;
    kafka::Admin admin_;
    kafka::Transactions transactions_{admin_, options_.kafka};
};

} // namespace

std::unique_ptr<verbs::Cluster> open_cluster(const relay::RelayOptions& options) {
    return std::make_unique<KafkaCluster>(options);
}

} // namespace outbox
