#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace outbox::chaos {

using std::chrono::milliseconds;

/// One fault: what happens to whom. Its moment is "not before": a victim that is away must be back first.
struct Step {
    milliseconds at{0};   ///< since the campaign's start
    std::string victim;   ///< "relay", "broker", "brokers" (all at once), "postgres": a process;
                          ///< "kafka-link", "postgres-link": the network
    int number = 0;       ///< which relay or broker, from 1
    std::string fault;    ///< "kill", "hang"; of the network: see network.cpp
    std::string request;  ///< of the network: Kafka's API, or what PostgreSQL's transaction is about
    int nth = 1;          ///< of the network: of such requests, the first that is met
    milliseconds span{0}; ///< how long it is away, stands still, or is late

    /// For counting: "kill relay", "cut-after EndTxn".
    [[nodiscard]] std::string kind() const;
    /// A line of the plan.
    [[nodiscard]] std::string text() const;
};

struct Scale {
    std::uint64_t seed = 1;
    milliseconds length{0};
    milliseconds every{2000}; ///< mean time between two faults
    int relays = 3;
    int brokers = 3;
    milliseconds lease{3000};      ///< some hang longer than that
    std::set<std::string> without; ///< kinds of processes' faults, or victims, that are left out
};

/// The same scale gives the same plan, on every machine. @throws std::invalid_argument when all is left out
[[nodiscard]] std::vector<Step> draw_plan(const Scale& scale);

} // namespace outbox::chaos
