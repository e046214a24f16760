#pragma once

#include "plan.hpp"
#include "proxy/proxy.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outbox::chaos {

/// What the plan may choose from; "late" (Kafka only): lost with its connection, sent when the span is over.
const std::vector<std::string>& kafka_faults();
const std::vector<std::string>& kafka_requests();
const std::vector<std::string>& postgres_faults();
const std::vector<std::string>& postgres_requests();

/// Between the relays and the servers.
class Network {
public:
    Network(const std::vector<std::uint16_t>& brokers, std::uint16_t postgres);

    /// DB_HOST, DB_PORT and KAFKA_BROKERS of who goes through it.
    [[nodiscard]] std::map<std::string, std::string> variables() const;

    /// Lays in wait for the step's request at each broker.
    void inject(const Step& step);
    /// Once for each step that has been played to its end since. @return it, with what it met
    std::optional<std::pair<Step, std::string>> played();
    /// Steps whose request has not come yet.
    [[nodiscard]] std::vector<Step> waiting() const;

private:
    struct Trap {
        FaultProxy* proxy;
        RuleId rule;
    };
    struct Active {
        Step step;
        std::vector<Trap> traps;
        std::optional<Trap> sprung;
        SteadyClock::time_point due; ///< when it is over
        std::string met;
    };
    bool sprung(Active& active);
    static void finish(Active& active);

    std::vector<std::unique_ptr<FaultProxy>> kafka_;
    std::unique_ptr<FaultProxy> postgres_;
    std::vector<Active> active_;
};

} // namespace outbox::chaos
