#include "shard/recovery_plan.hpp"

#include "outbox/delivery/name_claim.hpp"

#include <outbox/faults/faults.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relay {
namespace {

constexpr auto lost_log =
    "the control topic was emptied or replaced, or the database belongs to another cluster or backup; bring"
    " back the two that belong together or, where one is gone, stop the relays and see what `outbox-relay"
    " reconcile` says";

StopShard stop(const std::string& what, const char* advice) {
    return {fmt::format("{}: {}", what, advice)};
}

std::string_view state_of(delivery::Outcome outcome) {
    switch (outcome) {
    case delivery::Outcome::dead_lettered:
        return "FAILED";
    case delivery::Outcome::skipped:
        return "SKIPPED";
    case delivery::Outcome::sent:
        break;
    }
    return "SENT";
}

std::string_view topics_of(const kafka::ControlRecord& record) {
    const auto found = record.headers.find(std::string(delivery::topics_header));
    return found == record.headers.end() ? std::string_view() : found->second;
}

store::SentUnder sent_under(const kafka::ControlRecord& record) {
    using Kind = store::SentUnder::Kind;
    const auto found = record.headers.find(std::string(delivery::slot_header));
    if (found == record.headers.end()) {
        return {Kind::shard, {}}; // an earlier build knew no slots
    }
    const auto slot = delivery::decode_slot(found->second);
    return slot ? store::SentUnder{Kind::slot, *slot} : store::SentUnder{Kind::unknown, {}};
}

void add(std::vector<store::SentUnder>& all, const store::SentUnder& one) {
    if (std::find(all.begin(), all.end(), one) == all.end()) {
        all.push_back(one);
    }
}

} // namespace

RecoveryPlan plan_recovery(const Uuid& outbox_id, const store::Acquired& acquired,
                           const kafka::ControlTail& tail) {
    const store::MarkedUpTo& marked = acquired.marked;
    Settle settle;
    settle.newest = marked;
    // Reading starts at the manifest of the last durable mark, so that one must be there.
    std::int64_t expected = marked.batch == 0 ? 1 : marked.batch;
    if (marked.batch > 0 && (tail.records.empty() || tail.records.front().offset != marked.offset) &&
        faults::cure("gapless")) {
        return stop(fmt::format("the manifest of batch {} is not at offset {}", marked.batch, marked.offset),
                    lost_log);
    }
    for (const kafka::ControlRecord& record : tail.records) {
        const auto manifest = delivery::decode(record.value, topics_of(record));
        if (!manifest) {
            return stop(fmt::format("control record at offset {} cannot be read", record.offset),
                        "a newer relay wrote it: upgrade this one; or a foreign program: see"
                        " docs/operations.md, 'A shard is stopped'");
        }
        if (delivery::is_name_claim(*manifest)) {
            continue;
        }
        if (manifest->outbox_id != outbox_id) {
            return stop(
                fmt::format("control record at offset {} belongs to outbox {}", record.offset,
                            manifest->outbox_id.to_string()),
                "another outbox writes under this name; choose another OUTBOX_NAME for this one: stop"
                " its relays, type OUTBOX_NAME=... outbox-relay adopt, and start them with that name");
        }
        if (manifest->epoch > acquired.ownership.epoch) {
            return stop(
                fmt::format("batch {} was sent under epoch {}, but this database knows only {}",
                            manifest->batch, manifest->epoch, acquired.ownership.epoch),
                "a copy of this database is in use elsewhere: stop it; or this one was restored from an older"
                " backup: stop the relays and see what `outbox-relay reconcile` says");
        }
        if (manifest->batch != expected && faults::cure("gapless")) {
            return stop(fmt::format("batch {} follows where {} is due", manifest->batch, expected), lost_log);
        }
        expected = manifest->batch + 1;
        settle.raise_epoch =
            manifest->epoch == acquired.ownership.epoch && manifest->owner != acquired.ownership.relay;
        settle.newest = {manifest->batch, record.offset};
        if (manifest->batch > marked.batch) {
            add(settle.sent_under, sent_under(record));
        }
        if (manifest->batch > marked.batch && faults::cure("manifests")) {
            for (const delivery::ManifestRow& row : manifest->rows) {
                if (row.topic != delivery::ManifestRow::no_topic &&
                    row.outcome != delivery::Outcome::skipped) {
                    const auto& topic = manifest->topics.at(static_cast<std::size_t>(row.topic));
                    settle.by_topic[{topic.name, topic.id}].push_back(settle.rows.size());
                }
                settle.rows.push_back({row.bucket, row.seq, row.digest, state_of(row.outcome)});
            }
        }
    }
    return settle;
}

} // namespace outbox::relay
