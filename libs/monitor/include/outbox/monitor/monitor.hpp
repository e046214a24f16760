#pragma once

#include <outbox/core/settings.hpp>
#include <outbox/relay/observer.hpp>

#include <memory>

namespace outbox::monitor {

/// The HTTP side of outbox-relay: /metrics, /livez, /readyz, /health on RELAY_HTTP_BIND and RELAY_HTTP_PORT.
/// A port that is taken does not keep the relay from delivering: that is logged once, and tried again until
/// the port is free.
class Monitor {
public:
    /// Connects to nothing and listens on nothing yet.
    /// @throws UsageError when RELAY_HTTP_BIND is no address
    explicit Monitor(const Settings& settings);
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;
    /// Closes connections at once, and waits for questions that are under way, some seconds at most.
    ~Monitor();

    /// Whether it is wanted: RELAY_HTTP_PORT is not 0.
    static bool is_wanted(const Settings& settings);

    /// What the relay has to be told to tell: it belongs to its Options::observers. Valid after the monitor's
    /// end.
    [[nodiscard]] std::shared_ptr<relay::Observer> observer() const;

    /// Listens, or goes on trying to. Does not block.
    void start();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace outbox::monitor
