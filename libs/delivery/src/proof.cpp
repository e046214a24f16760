#include "outbox/delivery/proof.hpp"

#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace outbox::delivery {
namespace {

/// Longer ones are looked at: by hand nobody finds a transaction and writes a marker into it any sooner.
constexpr milliseconds long_open{1'000};

bool names(const std::vector<kafka::Partition>& partitions, const std::string& topic, std::int32_t number) {
    return std::any_of(partitions.begin(), partitions.end(), [&](const kafka::Partition& each) {
        return each.topic == topic && each.number == number;
    });
}

/// Where it cannot be asked the commit goes on as it would without the question.
kafka::OpenTransactions open_of(const kafka::ClientOptions& client, const kafka::Admin& admin,
                                const std::string& transactional_id, const FirstOffsets& first) {
    const Deadline deadline = Deadline::in(std::chrono::seconds(2));
    std::vector<kafka::Partition> where;
    for (const auto& [partition, offset] : first) {
        where.push_back({partition.first, partition.second});
    }
    try {
        const kafka::Transactions transactions(admin, client);
        const auto state = transactions.describe(transactional_id, deadline);
        if (state.kind == kafka::TransactionState::Kind::ongoing) {
            return transactions.open(where, std::span(&state.producer_id, 1), deadline);
        }
    } catch (const kafka::KafkaError& error) {
        log::debug("not looked for markers that somebody else wrote", {{"reason", error.what()}});
    }
    return {{}, where, {}};
}

void look_for_markers(const kafka::ClientOptions& client, const kafka::Admin& admin,
                      const UnderWay& under_way) {
    const auto first = first_offsets(under_way.batch, under_way.lane.delivered());
    if (first.empty()) {
        return;
    }
    if (const auto torn = torn_in(first, open_of(client, admin, under_way.transactional_id, first))) {
        throw kafka::KafkaError(
            kafka::torn,
            fmt::format("somebody wrote a marker into the open transaction in {} [{}]"
                        " (kafka-transactions.sh abort is for dead producers only; for living ones"
                        " there is forceTerminateTransaction): it is not committed",
                        torn->topic, torn->number));
    }
}

} // namespace

FirstOffsets first_offsets(const Batch& batch, const std::vector<kafka::Delivery>& delivered) {
    FirstOffsets first;
    for (std::size_t i = 0; i < delivered.size(); ++i) {
        if (delivered[i].error != 0 || delivered[i].offset < 0) {
            continue;
        }
        const kafka::Record& record = batch.records.at(i);
        const auto [found, added] =
            first.try_emplace({std::string(record.topic), record.partition}, delivered[i].offset);
        found->second = std::min(found->second, delivered[i].offset);
    }
    return first;
}

std::optional<kafka::Partition> torn_in(const FirstOffsets& first, const kafka::OpenTransactions& open) {
    for (const auto& [partition, offset] : first) {
        const auto& [topic, number] = partition;
        if (names(open.unasked, topic, number) || names(open.hidden, topic, number)) {
            continue;
        }
        const bool whole =
            std::any_of(open.found.begin(), open.found.end(), [&](const kafka::OpenTransaction& each) {
                return each.topic == topic && each.partition == number && each.start_offset <= offset;
            });
        if (!whole) {
            return kafka::Partition{topic, number};
        }
    }
    return std::nullopt;
}

void look_before_commit(const kafka::ClientOptions& client, const kafka::Admin& admin, TopicWatch& watch,
                        const UnderWay& under_way) {
    watch.require_same(under_way.batch.identities);
    if (SteadyClock::now() - under_way.began > long_open) {
        look_for_markers(client, admin, under_way);
    }
}

} // namespace outbox::delivery
