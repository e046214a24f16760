#pragma once

#include <outbox/delivery/batch.hpp>
#include <outbox/delivery/signal.hpp>
#include <outbox/kafka/lane.hpp>

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace outbox::delivery {

/// A batch that was sent, and how its transaction ended; the batch keeps the records' memory alive.
struct BatchEnd {
    std::unique_ptr<Batch> batch;
    kafka::TransactionEnd end;
    SteadyClock::duration took{}; ///< from the transaction's begin to its end
    bool commit_asked = false;    ///< the lane was let go on to the commit
};

/// A transaction whose records brokers have, and whose commit nobody has asked for yet.
struct UnderWay {
    const Batch& batch;
    const kafka::Lane& lane;
    const std::string& transactional_id;
    SteadyClock::time_point began;
};

/// What a publisher is made with. Tests give another lane or no thread.
struct PublisherOptions {
    kafka::ClientOptions client;
    std::string transactional_prefix; ///< "outbox-<id>-<ids>"; a lane adds its number
    std::string transactional_family; ///< as rights name these ids and those of the others of their kind
    milliseconds transaction_timeout{20'000};
    kafka::LaneFactory make_lane = kafka::make_lane;
    /// Looks at it, on the publisher's thread. @throws KafkaError: it is not committed
    std::function<void(const UnderWay&)> before_commit = [](const UnderWay&) {};
    /// Empty: the publisher has a thread. Else it has none, somebody calls work() instead, and whoever waits
    /// for the end of a batch calls this until it has come.
    std::function<void()> wait_without_thread = {};
};

/// With which the transactional ids of all relays of an outbox begin.
std::string transactional_family(const Uuid& outbox_id);
/// What the transactional ids of a slot's lanes have in common, behind those of the outbox; stable for ever.
std::string slot_ids(int slot);
/// The same of the lanes that a shard had for itself before there were slots.
std::string shard_ids(int shard);
/// Of the lanes of a slot or shard. @param ids  of slot_ids() or shard_ids()
std::string transactional_prefix(const Uuid& outbox_id, const std::string& ids);
/// The transactional ids of its lanes.
std::vector<std::string> lane_ids(const std::string& prefix);

/// Initialises both lanes of these ids and lets them go: earlier producers are fenced and decided after it.
/// @param options  their prefix does not count @throws KafkaError
void fence_lanes(const PublisherOptions& options, const std::string& prefix, Deadline deadline,
                 const std::function<bool()>& go_on);

/// Sends batches in order: two producers (lanes) take turns, and nothing is produced on one
/// before the other's commit was answered. One batch at a time; runs on a thread of its own, unless it is
/// told to have none. After any failed or doubtful transaction both lanes are gone: start() makes new ones.
class Publisher {
public:
    /// @param done  told whenever a batch has ended
    Publisher(PublisherOptions options, Signal& done);
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;
    ~Publisher();

    /// The transactional ids of both lanes.
    [[nodiscard]] const std::vector<std::string>& lane_ids() const { return lane_ids_; }
    /// The lanes that start() makes have other ids. @pre stopped
    void rename(std::string transactional_prefix);
    [[nodiscard]] const PublisherOptions& options() const { return options_; }

    /// Destroys both lanes, makes new ones and initialises them: earlier producers are fenced and decided
    /// after it.
    /// @throws KafkaError
    void start(std::size_t batch_bytes, Deadline deadline, const std::function<bool()>& go_on);

    /// Destroys both lanes, after the batch under way has ended. What it left is dropped.
    void stop();

    /// Whether a batch is being sent, or waits to be. False again before its end can be taken.
    [[nodiscard]] bool busy() const;
    /// @pre !busy() and no end waits to be taken
    void submit(std::unique_ptr<Batch> batch);
    /// The last batch's end, once.
    std::optional<BatchEnd> take_end();

    /// Sends the batch that was submitted; for who runs a publisher without a thread. @return false: there is
    /// none
    bool work();

private:
    void run(const std::stop_token& stop);
    BatchEnd send(std::unique_ptr<Batch> batch);
    void wait_idle();

    PublisherOptions options_;
    Signal& done_;
    std::vector<std::string> lane_ids_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::array<std::unique_ptr<kafka::Lane>, 2> lanes_;
    std::size_t turn_ = 0; ///< whose it is
    std::unique_ptr<Batch> next_;
    bool sending_ = false;
    std::optional<BatchEnd> end_;
    std::jthread thread_;
};

} // namespace outbox::delivery
