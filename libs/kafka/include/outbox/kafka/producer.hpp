#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/kafka/error.hpp>

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

struct Header {
    std::string_view name;
    std::string_view value;
};

/// One record to send. Views must live until the transaction has ended.
struct Record {
    std::string_view topic;
    std::int32_t partition = 0;
    std::string_view key;
    std::string_view value;
    std::vector<Header> headers;
    std::int64_t timestamp_ms = 0; ///< 0: now
};

/// Where a record stands, or why it does not.
struct Delivery {
    std::int64_t offset = -1;
    int error = 0; ///< librdkafka's code; 0: persisted
};

/// Why a transaction failed.
struct Failure {
    int code = 0;
    Blame blame = Blame::nobody;
    std::string message;
};

/// How a transaction ended, as far as this client knows.
struct TransactionEnd {
    std::optional<Failure> failure; ///< nullopt: commit was answered with success
    /// Requests of this transaction may still be under way in the network; the producer must not be used
    /// again.
    bool strays = false;
    std::vector<Delivery> deliveries; ///< by order of produce()
};

struct ProducerOptions {
    ClientOptions client;
    std::string transactional_id;
    std::size_t batch_bytes = 1'000'000; ///< of one record batch; at most the topics' max.message.bytes
    milliseconds transaction_timeout{20'000};
};

/// Requests of the current transaction, counted where librdkafka sends them. Thread-safe.
struct RequestCounts {
    std::atomic<int> end_txn_sent{0};
    std::atomic<int> unanswered{0}; ///< Produce, AddPartitionsToTxn or EndTxn that ended without an answer

    void reset() noexcept {
        end_txn_sent = 0;
        unanswered = 0;
    }
};

/// One transactional producer. It never aborts and goes on: after any failure destroy it and make a new one.
/// A broken connection to any broker is a failure too, although librdkafka would go on by itself: the broker
/// may have lost the markers of the transaction before (docs/decisions/0010), and whatever is sent after them
/// would share their fate. Not thread-safe.
class Producer {
public:
    explicit Producer(const ProducerOptions& options);
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;
    ~Producer();

    /// Fences every earlier producer of this transactional id and decides its last transaction.
    /// Waits while the coordinator is loading or away.
    /// @param go_on  asked about every half second; false ends the wait with Action::retry
    /// @throws KafkaError
    void init(Deadline deadline, const std::function<bool()>& go_on);

    /// Sends records in one transaction and commits it.
    /// @param before_commit  called when all records are enqueued
    /// @throws nothing for what Kafka refuses: the end tells.
    TransactionEnd send(const std::vector<Record>& records, Deadline deadline,
                        const std::function<void()>& before_commit);

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
    std::optional<Failure> commit(Deadline deadline);
    std::optional<Failure> cut_off();
    [[nodiscard]] Failure blamed(Failure failure) const;

    std::unique_ptr<RequestCounts> counts_;
    std::string cut_off_; ///< why a connection broke since init()
    Client client_;
    std::map<std::string, KnownTopic, std::less<>> topics_;
    std::vector<Delivery> deliveries_;
};

} // namespace outbox::kafka
