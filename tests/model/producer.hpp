#pragma once

#include "cures.hpp"
#include "kafka.hpp"

#include <outbox/kafka/producer.hpp>

#include <array>
#include <optional>
#include <vector>

namespace outbox::model {

/// A request under way, or its answer. It may stay there for as long as the schedule likes.
struct Message {
    Request request;
    int client = 0;  ///< a producer's life
    int attempt = 0; ///< an answer to an earlier attempt went to a connection that is closed
    std::optional<Reply> reply;
};
using Network = std::vector<Message>;

/// The events of one transaction by partition, and its manifest.
struct Outgoing {
    std::array<std::uint8_t, partition_count> count{};
    std::array<std::array<std::int16_t, Request::most_records>, partition_count> records{};

    void add(int partition, int payload) {
        auto& to = count[static_cast<std::size_t>(partition)];
        records[static_cast<std::size_t>(partition)][to++] = static_cast<std::int16_t>(payload);
    }
    [[nodiscard]] std::uint8_t partitions() const;
};

/// One transactional producer, as librdkafka behaves: one transaction at a time, requests repeated after a
/// timeout, an end that kafka::Producer would report.
class Producer {
public:
    enum class Phase { none, initialising, idle, adding, producing, ending, aborting, ended };

    void start(int lane, int client, Network& network);
    void destroy() { phase_ = Phase::none; }
    void send(const Outgoing& batch, Network& network);
    /// A naive client's: end what failed by an abort, and go on.
    void abort(Network& network);

    [[nodiscard]] bool awaits(const Message& message) const {
        return message.client == client_ && message.attempt == attempt_ && waits();
    }
    /// An answer for this producer. @return whether it was awaited
    bool hear(const Message& message, Network& network);
    /// No answer came in time. @param again  whether the request is repeated, or the transaction given up
    void time_out(bool again, Network& network);

    [[nodiscard]] Phase phase() const { return phase_; }
    [[nodiscard]] bool waits() const {
        return phase_ != Phase::none && phase_ != Phase::idle && phase_ != Phase::ended;
    }
    [[nodiscard]] int client() const { return client_; }
    [[nodiscard]] int refused_id() const { return refused_id_; }
    [[nodiscard]] bool failed() const { return failure_.has_value(); }
    /// Where the newest manifest stands that it sent to this partition.
    [[nodiscard]] std::int16_t manifest_offset(int partition) const {
        return offsets_[static_cast<std::size_t>(partition)];
    }
    /// @pre phase() == ended; without deliveries. The phase becomes idle.
    kafka::TransactionEnd take_end();

private:
    void request(Request::Kind kind, Network& network, int partition = 0, bool commit = true);
    void repeat(Network& network);
    void go_on(const Message& message, Network& network);
    void produce(Network& network);
    void fail(kafka::Blame blame, const char* why);

    Phase phase_ = Phase::none;
    int lane_ = 0;
    int client_ = 0;
    int attempt_ = 0;
    std::int16_t epoch_ = -1;
    std::array<std::int16_t, partition_count> sequence_{};
    Outgoing batch_;
    std::uint8_t acknowledged_ = 0;                       ///< bits
    std::array<std::int16_t, partition_count> offsets_{}; ///< of the last record of each request
    int ends_sent_ = 0;
    int unanswered_ = 0;
    int refused_id_ = -1;
    std::optional<kafka::Failure> failure_;
};

} // namespace outbox::model
