// Whether the topics of a batch were the same from before it was sent until it was committed.
#include "shard/pending.hpp"
#include "shard/proof.hpp"
#include "shard/worker.hpp"

#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace outbox::relay {
namespace {

using Kind = delivery::IdentityVerdict::Kind;

/// Longer ones are looked at: by hand nobody finds a transaction and writes a marker into it any sooner.
constexpr milliseconds long_open{1'000};

bool names(const std::vector<kafka::Partition>& partitions, const std::string& topic, std::int32_t number) {
    return std::any_of(partitions.begin(), partitions.end(), [&](const kafka::Partition& each) {
        return each.topic == topic && each.number == number;
    });
}

/// Where it cannot be asked the commit goes on as it would without the question.
kafka::OpenTransactions open_of(const RelayContext& context, const std::string& transactional_id,
                                const FirstOffsets& first) {
    const Deadline deadline = Deadline::in(std::chrono::seconds(2));
    std::vector<kafka::Partition> where;
    for (const auto& [partition, offset] : first) {
        where.push_back({partition.first, partition.second});
    }
    try {
        const kafka::Transactions transactions(context.admin, context.options.kafka);
        const auto state = transactions.describe(transactional_id, deadline);
        if (state.kind == kafka::TransactionState::Kind::ongoing) {
            return transactions.open(where, std::span(&state.producer_id, 1), deadline);
        }
    } catch (const kafka::KafkaError& error) {
        log::debug("not looked for markers that somebody else wrote", {{"reason", error.what()}});
    }
    return {{}, where, {}};
}

void look_for_markers(const RelayContext& context, const delivery::UnderWay& under_way) {
    const auto first = first_offsets(under_way.batch, under_way.lane.delivered());
    if (first.empty()) {
        return;
    }
    if (const auto torn = torn_in(first, open_of(context, under_way.transactional_id, first))) {
        throw kafka::KafkaError(
            kafka::torn,
            fmt::format("somebody wrote a marker into the open transaction of this shard in {} [{}]"
                        " (kafka-transactions.sh abort is for dead producers only; for living ones"
                        " there is forceTerminateTransaction): it is not committed",
                        torn->topic, torn->number));
    }
}

} // namespace

FirstOffsets first_offsets(const delivery::Batch& batch, const std::vector<kafka::Delivery>& delivered) {
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

void look_before_commit(const RelayContext& context, const delivery::UnderWay& under_way) {
    context.watch.require_same(under_way.batch.identities);
    if (SteadyClock::now() - under_way.began > long_open) {
        look_for_markers(context, under_way);
    }
}

/// Which topics it goes to is known before any of its records is sent: what brokers said last, or asked now.
void ShardWorker::identify(delivery::Batch& batch) {
    auto topics = topics_of(batch);
    topics.insert(context_.options.control_topic());
    batch.identities = context_.watch.identify(topics, Deadline::in(std::chrono::seconds(5)));
    if (!batch.identities.empty() && batch.identities.size() < topics.size()) {
        context_.topics.forget(); // some of them may not be asked for any more: that parks them, by name
    }
}

/// The answer comes while the records are on their way.
void ShardWorker::freshen(const delivery::TopicIdentities& topics) {
    context_.watch.freshen(topics);
}

/// A commit succeeds although a topic was deleted and made again meanwhile, and what stood there before is
/// gone. Rows are marked when the topics are known to be the same by a question that began after the commit.
void ShardWorker::prove() {
    for (Published& batch : pending_->published) {
        if (batch.proven) {
            continue;
        }
        const auto verdict = context_.watch.compare(batch.identities, batch.ended);
        if (verdict.kind == Kind::changed) {
            context_.topics.forget();
            throw NeedsRecovery(delivery::made_again(verdict.topic) + ": what is left of it is looked for");
        }
        if (verdict.kind == Kind::open) {
            return;
        }
        batch.proven = true;
        pace_.look_now(); // the turn that marks it claims as well
    }
}

} // namespace outbox::relay
