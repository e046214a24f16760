#pragma once

#include "life.hpp"

#include <outbox/kafka/lane.hpp>

#include <string>

namespace outbox::model {

/// A lane over the model's producer: while it waits for an answer the others go on.
class ModelLane final : public kafka::Lane {
public:
    /// @param number  of the transactional id
    ModelLane(Life& life, int number, std::string control_topic);
    ~ModelLane() override;

    void init(Deadline deadline, const std::function<bool()>& go_on) override;
    kafka::TransactionEnd send(const std::vector<kafka::Record>& records, Deadline deadline,
                               const std::function<void()>& before_commit) override;

    [[nodiscard]] Producer& producer() { return producer_; }
    [[nodiscard]] const Producer& producer() const { return producer_; }
    /// Its last commit was taken for granted, and is not answered yet.
    [[nodiscard]] bool commit_is_open() const { return granted_ && producer_.waits(); }
    /// And failed.
    [[nodiscard]] bool commit_failed() const {
        return granted_ && producer_.phase() == Producer::Phase::ended && producer_.failed();
    }

private:
    void start();
    [[nodiscard]] Outgoing outgoing(const std::vector<kafka::Record>& records);
    kafka::TransactionEnd transact(const Outgoing& batch);
    [[nodiscard]] bool is_manifest(const kafka::Record& record) const {
        return record.topic == control_topic_;
    }
    void wait() const;

    Life& life_;
    int number_;
    std::string control_topic_;
    Producer producer_;
    bool granted_ = false;
};

} // namespace outbox::model
