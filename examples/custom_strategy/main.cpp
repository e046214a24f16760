// custom_strategy: a relay that chooses partitions its own way, until SIGTERM. Database and brokers are named
// by outbox-relay's variables (DB_HOST, KAFKA_BROKERS, ...).
#include <outbox/partition/strategy.hpp>
#include <outbox/relay/relay.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>

namespace {

using outbox::partition::Routing;

/// Partition 0 for the house's own accounts; the others share the rest. One account always has one partition,
/// so order per key is kept.
class HouseApart final : public outbox::partition::PartitionStrategy {
public:
    std::optional<std::int32_t> choose(const Routing& event, std::int32_t count) const noexcept override {
        if (event.key.substr(0, 6) == "house-" || count == 1) {
            return 0;
        }
        const auto hash = outbox::partition::murmur2(event.key) & 0x7FFFFFFF;
        return 1 + static_cast<std::int32_t>(hash % static_cast<std::uint32_t>(count - 1));
    }

    std::string order_caveat() const override { return {}; }
};

outbox::partition::Strategy strategy() {
    using outbox::partition::CustomPartitionStrategy;
    auto strategy = std::make_shared<CustomPartitionStrategy>(std::make_shared<HouseApart>());
    // As a lambda, for one type of event: the last partition.
    strategy->set_strategy_for_event_type(
        "account.audited", [](const Routing&, std::int32_t count) { return std::optional(count - 1); });
    return strategy;
}

} // namespace

int main() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr); // the relay's threads inherit it
    try {
        outbox::relay::Options options;
        options.partition_strategy = strategy();
        outbox::relay::Relay relay(std::move(options));
        relay.start();
        int received = 0;
        sigwait(&signals, &received);
        return relay.drain() == 0 ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << "custom_strategy: " << error.what() << '\n';
        return 1;
    }
}
