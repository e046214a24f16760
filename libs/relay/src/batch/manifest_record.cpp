// The manifest of a batch, made when everything else in it is known. It is the last record, so whoever
// sees it sees a complete batch, and it travels in the same transaction, so it is visible exactly when
// the events are.

#include "batch/manifest_record.hpp"

#include <outbox/core/event.hpp>
#include <outbox/delivery/manifest.hpp>

#include <map>
#include <vector>

namespace outbox::relay {
namespace {

/// Numbers the topics whose id is known, in the order in which rows go there.
class TopicNumbers {
public:
    TopicNumbers(const delivery::TopicIdentities& identities, std::vector<delivery::ManifestTopic>& topics)
        : identities_(identities),
          topics_(topics) {}

    std::int16_t of(std::string_view topic) {
        if (topic == last_) {
            return number_;
        }
        last_ = topic;
        const auto known = numbers_.find(topic);
        number_ = known != numbers_.end() ? known->second : add(topic);
        return number_;
    }

private:
    std::int16_t add(std::string_view topic) {
        const auto identity = identities_.find(topic);
        auto number = delivery::ManifestRow::no_topic;
        if (identity != identities_.end()) {
            number = static_cast<std::int16_t>(topics_.size());
            topics_.push_back({identity->first, identity->second});
        }
        numbers_.emplace(topic, number);
        return number;
    }

    const delivery::TopicIdentities& identities_;
    std::vector<delivery::ManifestTopic>& topics_;
    std::map<std::string, std::int16_t, std::less<>> numbers_;
    std::string_view last_;
    std::int16_t number_ = delivery::ManifestRow::no_topic;
};

} // namespace

/// Names every row with its number, the digest of its id and what became of it, and the topics with
/// their ids.
void add_manifest(delivery::Batch& batch, const std::string& control_topic, const Uuid& outbox_id,
                  int shard_count, const store::Ownership& ownership, const store::Slot& slot,
                  std::int64_t number) {
    delivery::Manifest manifest{outbox_id, ownership.relay, ownership.epoch, number, {}};
    const auto& rows = batch.claimed.rows;
    TopicNumbers numbers(batch.identities, manifest.topics);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].bucket % shard_count != ownership.shard) {
            continue;
        }
        manifest.rows.push_back({rows[i].bucket, rows[i].seq, id_digest(rows[i].id),
                                 batch.dead_letters.contains(rows[i].seq) ? delivery::Outcome::dead_lettered
                                                                          : delivery::Outcome::sent,
                                 numbers.of(batch.records[i].topic)});
    }
    auto& kept = batch.manifests.emplace_back();
    kept.partition = ownership.shard;
    kept.number = number;
    kept.value = delivery::encode(manifest);
    kept.key = delivery::control_key(number);
    kafka::Record control;
    control.topic = batch.arena.keep(control_topic);
    control.partition = ownership.shard;
    control.key = kept.key;
    control.value = kept.value;
    kept.slot = delivery::encode_slot(slot);
    control.headers.push_back({delivery::slot_header, kept.slot});
    if (!manifest.topics.empty()) {
        kept.topics = encode_topics(manifest);
        control.headers.push_back({delivery::topics_header, kept.topics});
    }
    batch.records.push_back(std::move(control));
}

} // namespace outbox::relay
