#pragma once

#include <outbox/kafka/lane.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::kafka {

/// Requests of the current transaction, counted where librdkafka sends them. Thread-safe.
struct RequestCounts {
    std::atomic<int> end_txn_sent{0};
    std::atomic<int> unanswered{0}; ///< Produce, AddPartitionsToTxn or EndTxn that ended without an answer

    void reset() noexcept {
        end_txn_sent = 0;
        unanswered = 0;
    }
};

/// A lane over librdkafka.
/// A broken connection to any broker is a failure too, although librdkafka would go on by itself: the broker
/// may have lost the markers of the transaction before (docs/decisions/0010), and whatever is sent after them
/// would share their fate. Not thread-safe.
class Producer final : public Lane {
public:
    explicit Producer(LaneOptions options);
    ~Producer() override;

    void init(Deadline deadline, const std::function<bool()>& go_on) override;
    TransactionEnd send(const std::vector<Record>& records, Deadline deadline,
                        const std::function<void()>& before_commit) override;
    [[nodiscard]] std::vector<Delivery> delivered() const override { return deliveries_; }

private:
    friend struct ProducerCallbacks;

    struct KnownTopic {
        Topic handle;
        std::int32_t partitions = 0; ///< when last asked
    };

    rd_kafka_topic_s* topic(std::string_view name, std::int32_t partition, Deadline deadline);
    void produce(const Record& record, std::size_t index, Deadline deadline);
    std::optional<Failure> transact(const std::vector<Record>& records, Deadline deadline,
                                    const std::function<void()>& before_commit);
    std::optional<Failure> flush(Deadline deadline);
    std::optional<Failure> commit(Deadline deadline);
    std::optional<Failure> cut_off();
    [[nodiscard]] Failure blamed(Failure failure) const;

    LaneOptions options_;
    std::unique_ptr<RequestCounts> counts_;
    milliseconds throttled_{0}; ///< by quotas, in the current transaction
    std::string cut_off_;       ///< why a connection broke since init()
    Client client_;
    std::map<std::string, KnownTopic, std::less<>> topics_;
    std::vector<Delivery> deliveries_;
};

} // namespace outbox::kafka
