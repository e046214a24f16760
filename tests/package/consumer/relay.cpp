// Every public header of the relay; needs no server.
#include <outbox/core/deadline.hpp>
#include <outbox/core/error.hpp>
#include <outbox/kafka/error.hpp>
#include <outbox/kafka/lane.hpp>
#include <outbox/partition/strategy.hpp>
#include <outbox/relay/outgoing_event.hpp>
#include <outbox/relay/relay.hpp>
#include <outbox/telemetry/log_sink.hpp>

#include <iostream>

int main() {
    outbox::relay::Options options;
    options.settings = {{"KAFKA_BROKERS", "127.0.0.1:1"}, {"RELAY_FORMAT", "none"}};
    options.environment = false;
    try {
        const outbox::relay::Relay relay(options);
    } catch (const outbox::UsageError& error) {
        std::cout << error.what() << '\n';
    }
    options.settings["RELAY_FORMAT"] = "raw";
    const outbox::relay::Relay relay(options);
    std::cout << relay.running() << '\n';
}
