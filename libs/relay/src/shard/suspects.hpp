#pragma once

#include "batch/blamed_rows.hpp"

#include <outbox/delivery/batch.hpp>
#include <outbox/delivery/batch_policy.hpp>
#include <outbox/kafka/lane.hpp>
#include <outbox/store/unreadable.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::relay {

/// Which events of one shard spoil what they are part of, and how they are sought: by ever smaller batches
/// and claims, until one stands alone. No I/O.
class Suspects {
public:
    /// @param rows  most of a claim @param rows_a_statement  most of one of its statements
    Suspects(std::size_t rows, std::size_t rows_a_statement) : batch_(rows), claim_(rows_a_statement) {}

    /// A topic that is said to refuse everything.
    struct RefusedTopic {
        std::string name;
        delivery::Refusal why;
    };

    /// Why rows failed in transactions of their own: they spend an attempt with the next batch.
    [[nodiscard]] const BlamedRows& blamed() const { return blamed_; }
    /// Its attempt is spent.
    void forget(std::int64_t seq) { blamed_.erase(seq); }

    /// A transaction failed. @return whether that lies with its events
    bool judge(const delivery::Batch& batch, const kafka::Failure& failure);
    /// Kafka is well, and yet did not take the batch, for the time or the bytes that it takes: the next one
    /// is smaller, and what stands alone already spends an attempt.
    /// @param late  it took too long @return whether the next one is smaller
    bool too_much(const delivery::Batch& batch, const kafka::Failure& failure, bool late,
                  milliseconds throttled);
    /// A batch with events was committed.
    void sent(milliseconds throttled) { batch_.sent(throttled); }

    /// Whether a batch that names no event must be sent to tell a topic that refuses from the control topic:
    /// the broker does not always say which one it means.
    [[nodiscard]] bool need_proof() const { return unproven_.has_value(); }
    /// The control topic took a batch that names no event. @return the topic that refuses
    std::optional<RefusedTopic> proven();
    /// The control topic refuses: it was not the events' topic.
    void acquit_topic() { unproven_.reset(); }

    [[nodiscard]] std::size_t most_rows() const { return batch_.now(); }
    [[nodiscard]] std::size_t most_rows_a_statement() const { return claim_.now(); }
    /// A claim succeeded.
    void claimed() { claim_.took(); }
    /// A claim took too much. @return false when no fewer rows can be asked for
    bool claim_fewer();

    /// Rows that the server cannot hand out, found and not FAILED yet.
    [[nodiscard]] const std::vector<store::UnreadableRow>& unreadable() const { return unreadable_; }
    /// @param block_failed_keys  later events of a key wait behind one that is FAILED
    void found_unreadable(std::vector<store::UnreadableRow> rows, bool block_failed_keys);
    void unreadable_settled() { unreadable_.clear(); }

private:
    BlamedRow& blame(const store::Row& row);

    BlamedRows blamed_;
    std::vector<store::UnreadableRow> unreadable_;
    delivery::BatchLimit batch_;
    delivery::ClaimLimit claim_;
    std::optional<RefusedTopic> unproven_;
};

} // namespace outbox::relay
