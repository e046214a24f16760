#pragma once

#include "cures.hpp"
#include "database.hpp"
#include "producer.hpp"

#include <outbox/core/deadline.hpp>
#include <outbox/core/uuid.hpp>

#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

namespace outbox::model {

using Trace = std::vector<std::string>;

/// What happened, so that a campaign can say what it has seen.
struct Counts {
    std::uint64_t batches = 0; ///< published
    std::uint64_t takes = 0;   ///< of shards
    std::uint64_t recoveries = 0;
    std::uint64_t crashes = 0; ///< of relays and PostgreSQL
    std::uint64_t late = 0;    ///< requests that reached the broker when their producer waited no more
};

/// What the relays of one model share.
struct Surroundings {
    Database& database;
    Kafka& kafka;
    Network& network;
    const Cures& cures;
    bool track_processing = true;
    bool faults = true;                            ///< statements fail, and answers to COMMIT are lost
    bool slow_topics = false;                      ///< brokers hardly ever say whether topics are the same
    int clients = 0;                               ///< producers made so far
    std::vector<std::string> manifests{};          ///< texts, by number
    std::vector<std::string> slot_of_manifest{};   ///< headers, by number
    std::vector<std::int16_t> batch_of_manifest{}; ///< by number
    Counts counts{};
    Trace* trace = nullptr;
    Dice dice{0}; ///< of the step under way
    SteadyClock::time_point time{std::chrono::hours(1)};

    [[nodiscard]] bool have(Cure cure) const { return cures.have(cure); }
};

class ModelLane;

/// One life of a relay's process, as what stands behind its loop's seams knows it.
struct Life {
    Surroundings& world;
    int relay = 0;                      ///< which one
    int identity = 0;                   ///< of this life
    std::vector<ModelLane*> lanes{};    ///< those that there are
    const ModelLane* sending = nullptr; ///< waits for an answer to a batch of its own
    std::uint8_t served = 0;            ///< shards that are claimed of, bits
    bool first_only = false;            ///< the newest batch that was published names no event

    [[nodiscard]] bool serves(int key) const { return (served >> shard_of(key) & 1) != 0; }

    /// Into the trace, when there is one.
    template <class... Parts>
    void say(const Parts&... parts) const {
        if (world.trace != nullptr) {
            std::string line = fmt::format("relay {}.{}: ", relay, identity / relay_count);
            (fmt::format_to(std::back_inserter(line), "{}", parts), ...);
            world.trace->push_back(std::move(line));
        }
    }
};

/// The id that stands for a small number.
inline Uuid numbered(int number) {
    Uuid::Bytes bytes{};
    bytes[15] = static_cast<std::uint8_t>(number);
    return Uuid(bytes);
}

} // namespace outbox::model
