// Asks every two seconds whether Kafka answers, so that `status` knows it even while no shard sends
// anything, and so that shards that were refused hear when it takes this client again.

#include "node/kafka_watch.hpp"

namespace outbox::relay {
namespace {

constexpr milliseconds patience{2'000};
constexpr milliseconds pause{2'000};
constexpr milliseconds pause_while_away{500};

} // namespace

KafkaWatch::KafkaWatch(const kafka::Admin& admin)
    : admin_(admin),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

KafkaWatch::~KafkaWatch() {
    thread_.request_stop();
    thread_.join();
}

void KafkaWatch::run(const std::stop_token& stop) {
    bool was_there = true;
    while (!stop.stop_requested()) {
        bool there = true;
        try {
            static_cast<void>(admin_.brokers(Deadline::in(patience)));
            away_.over();
            if (!was_there) {
                ++returns_;
            }
        } catch (const std::exception& error) {
            there = false;
            away_.met(std::string("Kafka does not answer: ") + error.what(), SteadyClock::now());
        }
        was_there = there;
        std::unique_lock lock(mutex_);
        waits_.wait_for(lock, stop, there ? pause : pause_while_away, [] { return false; });
    }
}

} // namespace outbox::relay
