#pragma once

#include "shard/hindrance.hpp"

#include <outbox/kafka/admin.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace outbox::relay {

/// Asks Kafka for a sign of life now and then, so that one that is away shows although nothing is to be sent.
/// Runs on a thread of its own. Thread-safe.
class KafkaWatch {
public:
    explicit KafkaWatch(const kafka::Admin& admin);
    KafkaWatch(const KafkaWatch&) = delete;
    KafkaWatch& operator=(const KafkaWatch&) = delete;
    ~KafkaWatch();

    /// Why Kafka does not answer, and since when.
    [[nodiscard]] std::optional<Hindrance::Told> away() const { return away_.told(SteadyClock::now()); }

    /// How often Kafka has answered again after it did not: what was refused is worth another try when this
    /// has grown.
    [[nodiscard]] const std::atomic<unsigned>& returns() const noexcept { return returns_; }

private:
    void run(const std::stop_token& stop);

    const kafka::Admin& admin_;
    Hindrance away_;
    std::atomic<unsigned> returns_{0};
    std::mutex mutex_; ///< of the wait between two questions
    std::condition_variable_any waits_;
    std::jthread thread_;
};

} // namespace outbox::relay
