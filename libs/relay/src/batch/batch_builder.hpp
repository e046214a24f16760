#pragma once

#include "batch/blamed_rows.hpp"

#include <outbox/delivery/batch.hpp>
#include <outbox/delivery/topic_book.hpp>
#include <outbox/messages/shape.hpp>
#include <outbox/relay/options.hpp>
#include <outbox/store/shard_database.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::relay {

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
    /// What it is made with outlives it, and so do the rows that it builds of.
    /// @param pipeline     its number
    /// @param shard_count  which shard a row is of follows from it
    /// @param left_out  by the claim of these rows
    BatchBuilder(const RelayOptions& options, delivery::TopicBook& topics, int pipeline, int shard_count,
                 const BlamedRows& blamed, delivery::LeftOut left_out)
        : options_(options),
          topics_(topics),
          pipeline_(pipeline),
          shard_count_(shard_count),
          blamed_(blamed),
          left_out_(std::move(left_out)),
          compressed_(kafka::compresses(options.kafka)) {}

    /// @throws KafkaError when the cluster cannot say what it accepts.
    BuiltBatch build(store::RowSet claimed, Deadline deadline);

private:
    /// What becomes of a row, and of the later rows of its key.
    enum class Place {
        in_batch,
        last_of_key, ///< in the batch, and blocks its key
        held,        ///< not now, and its key's later rows neither
        out          ///< it is skipped
    };
    /// Decides about one row, which may be `alone` in its batch.
    Place find_place(const store::Row& row, bool alone, BuiltBatch& built, Deadline deadline);
    /// The row that is to try a topic for all shards; nullopt when no row of the claim goes there.
    std::optional<std::int64_t> find_trial(const store::RowSet& claimed);
    /// Spends an attempt, and gives the row up when it was the last.
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

    const RelayOptions& options_;
    delivery::TopicBook& topics_;
    int pipeline_;
    int shard_count_;
    const BlamedRows& blamed_;
    delivery::LeftOut left_out_; ///< one answer for all rows of a key
    bool compressed_;
    SteadyClock::time_point began_ = SteadyClock::now();
    std::set<std::string, std::less<>> asked_afresh_;
    std::map<std::string, delivery::TopicVerdict, std::less<>> verdicts_;
};

} // namespace outbox::relay
