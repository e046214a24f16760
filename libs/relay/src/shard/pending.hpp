#pragma once

#include "shard/worker.hpp"

#include <outbox/messages/shape.hpp>

#include <algorithm>
#include <span>

namespace outbox::relay {

/// Where its records go, the control topic included where it has its manifest.
std::set<std::string, std::less<>> topics_of(const delivery::Batch& batch);

/// What is left to do for a batch that Kafka has; its rows and records are gone from memory.
struct Published {
    store::MarkedUpTo marked;
    std::vector<store::SentRow> sent;
    std::vector<store::FailedAttempt> dead_letters;
    delivery::TopicIdentities identities; ///< of its topics, before any of its records was sent
    SteadyClock::time_point ended;        ///< the commit was answered
    bool proven = false;                  ///< its topics were the same all the time
    bool alone;                           ///< it is marked before anything is claimed
    bool retried = false;                 ///< its event had failed before

    explicit Published(const delivery::BatchEnd& end);
};

/// The batches of one shard between claim and mark. At most one is ready, one at the broker, a few published:
/// far below the control_keys that bound how many may be unmarked.
struct ShardWorker::Pending {
    /// While brokers do not say whether the topics of these are still the same, nothing more is claimed.
    static constexpr std::size_t most_published = 3;

    std::unique_ptr<delivery::Batch> ready;
    const delivery::Batch* publishing = nullptr; ///< owned by the publisher
    std::vector<Published> published;

    [[nodiscard]] InHand in_hand() const {
        const bool unproven_alone = std::any_of(published.begin(), published.end(), [](const auto& batch) {
            return batch.alone && !batch.proven;
        });
        return {ready != nullptr, publishing != nullptr, !published.empty(),
                unproven_alone || (publishing != nullptr && delivery::goes_alone(*publishing)),
                !published.empty() && published.front().proven};
    }

    /// In the order in which they were sent.
    [[nodiscard]] std::span<const Published> proven() const {
        const auto end =
            std::find_if(published.begin(), published.end(), [](const auto& batch) { return !batch.proven; });
        return {published.begin(), end};
    }

    [[nodiscard]] std::size_t events() const {
        std::size_t count = ready ? ready->claimed.rows.size() : 0;
        count += publishing != nullptr ? publishing->claimed.rows.size() : 0;
        for (const Published& batch : published) {
            count += batch.sent.size() + batch.dead_letters.size();
        }
        return count;
    }

    /// Rows whose state the database cannot show where PROCESSING is not tracked.
    [[nodiscard]] std::vector<std::int64_t> seqs() const {
        std::vector<std::int64_t> all;
        const auto add = [&all](const delivery::Batch* batch) {
            for (const store::Row& row : batch->claimed.rows) {
                all.push_back(row.seq);
            }
        };
        if (ready) {
            add(ready.get());
        }
        if (publishing != nullptr) {
            add(publishing);
        }
        for (const Published& batch : published) {
            for (const store::SentRow& row : batch.sent) {
                all.push_back(row.seq);
            }
            for (const store::FailedAttempt& letter : batch.dead_letters) {
                all.push_back(letter.seq);
            }
        }
        return all;
    }
};

/// Whether the record is larger than the topic accepts, before any compression.
bool exceeds(const kafka::Record& record, const delivery::TopicVerdict& verdict);

/// Why a topic does not take a record; nullopt when it does, or only the broker can tell.
/// @param compressed  records are, so that their size says little
std::optional<delivery::Refusal> unfit_for(const kafka::Record& record, const delivery::TopicVerdict& verdict,
                                           bool compressed);

/// What became of claimed rows.
struct BuiltBatch {
    std::unique_ptr<delivery::Batch> batch; ///< null when nothing can be sent
    std::vector<store::FailedAttempt> failed;
    std::vector<store::SkippedRow> skipped;
    std::vector<store::Row> put_back;
    std::vector<store::Row> postponed; ///< have failed before: each travels alone
    std::set<std::pair<std::string, std::string>>
        parked; ///< topics not sent to now, and what rows called them
};

/// Makes a batch of claimed rows, and sorts out those that cannot be sent.
class BatchBuilder {
public:
    BatchBuilder(const RelayContext& context, int shard, const BlamedRows& blamed, delivery::LeftOut left_out)
        : context_(context),
          shard_(shard),
          blamed_(blamed),
          left_out_(std::move(left_out)),
          compressed_(kafka::compresses(context.options.kafka)) {}

    /// @throws KafkaError when the cluster cannot say what it accepts.
    BuiltBatch build(store::RowSet claimed, Deadline deadline);
    void add_manifest(delivery::Batch& batch, const store::Ownership& ownership, std::int64_t number) const;

private:
    enum class Place {
        in_batch,
        last_of_key, ///< in the batch, and blocks its key
        held,        ///< not now, and its key's later rows neither
        out          ///< it is skipped
    };
    Place find_place(const store::Row& row, bool alone, BuiltBatch& built, Deadline deadline);
    std::optional<std::int64_t> find_trial(const store::RowSet& claimed);
    Place refuse(const store::Row& row, bool alone, bool outage, kafka::Record record,
                 const delivery::Refusal& refusal, BuiltBatch& built, Deadline deadline);
    [[nodiscard]] std::optional<delivery::Refusal> why_not(const store::Row& row, const kafka::Record& record,
                                                           const delivery::TopicVerdict& verdict) const;
    bool dead_letter(delivery::Batch& batch, const store::Row& row, kafka::Record record,
                     const delivery::Refusal& refusal, store::FailedAttempt& attempt, Deadline deadline);
    [[nodiscard]] delivery::TopicVerdict ask(const std::string& topic, Deadline deadline,
                                             SteadyClock::time_point not_before) const;
    const delivery::TopicVerdict& verdict_for(std::string_view topic, Deadline deadline);
    const delivery::TopicVerdict& verdict_afresh(std::string_view topic, Deadline deadline);
    [[nodiscard]] kafka::Record record_of(messages::OutgoingEvent::State& event, std::string_view topic,
                                          const delivery::TopicVerdict& verdict,
                                          messages::Arena& arena) const;
    /// @pre the topic has partitions. @return nullopt when the strategy cannot read the event
    [[nodiscard]] std::optional<std::int32_t> partition_of(const store::Row& row, const kafka::Record& record,
                                                           const delivery::TopicVerdict& verdict) const;

    const RelayContext& context_;
    int shard_;
    const BlamedRows& blamed_;
    delivery::LeftOut left_out_; ///< by the claim of these rows; one answer for all rows of a key
    bool compressed_;
    SteadyClock::time_point began_ = SteadyClock::now();
    std::set<std::string, std::less<>> asked_afresh_;
    std::map<std::string, delivery::TopicVerdict, std::less<>> verdicts_;
};

} // namespace outbox::relay
