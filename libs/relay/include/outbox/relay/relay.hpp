#pragma once

#include <outbox/kafka/lane.hpp>
#include <outbox/partition/strategy.hpp>
#include <outbox/relay/observer.hpp>
#include <outbox/relay/outgoing_event.hpp>
#include <outbox/telemetry/log_sink.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace outbox {
class Settings;
} // namespace outbox

namespace outbox::relay {

/// How a relay runs. What outbox-relay takes from variables stands in `settings`; the rest is code.
struct Options {
    /// By the variables' names in the README's table: {"KAFKA_BROKERS", "kafka:9092"}. They win over all
    /// else.
    std::map<std::string, std::string> settings = {};
    /// Whether variables of the process stand in for what `settings` leaves out.
    bool environment = true;
    /// TOML, read for what is still left out; empty: none.
    std::string config_file = {};

    /// Filter and mapper; may be empty.
    BeforePublish on_before_publish = {};
    /// In place of RELAY_PARTITION_STRATEGY; may be null.
    partition::Strategy partition_strategy = {};
    /// The publisher: what speaks to Kafka's transaction coordinator. See kafka::Lane before you replace it.
    kafka::LaneFactory make_lane = kafka::make_lane;
    /// Lines of LOG_LEVEL and above. Empty: to stderr in LOG_FORMAT. A process has one log: the newest
    /// Relay's holds.
    log::Sink log = {};
    /// Are told what happens, besides the log; the relay keeps them until it is destroyed. None may be null.
    std::vector<std::shared_ptr<Observer>> observers = {};
};

/// A relay inside a service: delivers the events of one outbox on threads of its own, and shares them with
/// every other relay of that outbox, be it a program or a service. It cannot be copied or moved; its
/// functions are thread-safe.
class Relay {
public:
    /// Checks the options and connects to nothing yet. @throws UsageError naming setting, value and what is
    /// allowed.
    explicit Relay(Options options);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    /// drain()s when that was not done, and waits for every thread: for half a minute or so when Kafka or
    /// PostgreSQL do not answer, since what is at the broker then cannot be called back.
    ~Relay();

    /// Begins to deliver, and returns at once. It waits by itself for a database and a cluster that are away.
    /// @throws std::logic_error when it was started before
    void start();

    /// Asks it to end: nothing more is claimed. Returns at once. Async-signal-safe.
    void stop() noexcept;

    /// stop(), and waits until what is at the broker is settled and the shards are given back, for
    /// RELAY_DRAIN_TIMEOUT at most.
    /// @return events in flight that the time did not suffice for; the next relay's recovery settles them.
    /// @throws Error that had ended it before: what only an operator can mend.
    std::size_t drain();

    /// Waits until it has ended, because somebody called stop() or because of what only an operator can mend.
    /// @return events in flight, as drain() does. @throws Error that ended it.
    std::size_t wait();

    /// Whether nothing of it waits for Kafka or PostgreSQL any more, so that its destructor ends at once.
    [[nodiscard]] bool drained() const noexcept;

    /// False before start(), after drain(), and once an error has ended it: drain() then says which.
    [[nodiscard]] bool running() const noexcept;

private:
    struct Impl;
    explicit Relay(std::unique_ptr<Impl> impl) noexcept;
    friend Relay relay_of(const Settings& settings, std::vector<std::shared_ptr<Observer>> observers);

    std::unique_ptr<Impl> impl_;
};

/// The relay that a program is, whose command line has been read and whose log is set up.
/// @param observers  as Options::observers
Relay relay_of(const Settings& settings, std::vector<std::shared_ptr<Observer>> observers = {});

} // namespace outbox::relay
