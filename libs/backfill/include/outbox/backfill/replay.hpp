#pragma once

#include <outbox/backfill/pace.hpp>
#include <outbox/backfill/position.hpp>
#include <outbox/backfill/request.hpp>
#include <outbox/delivery/topic_log.hpp>
#include <outbox/delivery/topic_watch.hpp>
#include <outbox/delivery/topics.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/postgres/connection.hpp>
#include <outbox/store/backfills.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace outbox::backfill {

/// What a replay works with.
struct Surroundings {
    postgres::ConnectOptions primary;
    std::optional<postgres::ConnectOptions> replica; ///< events are read from it
    kafka::ClientOptions kafka;
    delivery::TopicPolicy topics;
    std::string outbox; ///< its name in Kafka

    /// `outbox.<name>.backfill`: the control topic, and the beginning of all transactional ids.
    [[nodiscard]] std::string prefix() const { return "outbox." + outbox + ".backfill"; }
};

/// Partitions of the control topic; a run has one of them.
inline constexpr std::int32_t control_partitions = 16;
/// By the run's id, so that runs spread over the partitions.
std::int32_t control_partition(const Uuid& run) noexcept;

/// Lanes of a new run.
inline constexpr int default_lanes = 4;

/// How a run ended, when nothing went wrong.
enum class Ending { done, stopped, cancelled };

/// What somebody who waits is told.
struct Reporter {
    std::function<void(const std::string&)> preparing; ///< how far it is before it begins, in words; often
    std::function<void(const Progress&)> progress;     ///< about once a second
    std::function<void(const std::string&)> note;      ///< one line
};

/// One run, from where Kafka says that it stands to its end. It goes on by itself after errors that pass.
/// Not thread-safe.
class Replay {
public:
    /// @param run  registered; this process comes to hold it
    /// @param go_on  false ends the run early, after what is under way
    Replay(Surroundings surroundings, const Request& request, store::BackfillRun run, Reporter reporter,
           std::function<bool()> go_on);
    Replay(const Replay&) = delete;
    Replay& operator=(const Replay&) = delete;
    ~Replay();

    /// @throws Error for what does not pass: the same command resumes when it is mended
    Ending run();

    /// Events that Kafka has of this run, by all processes that worked on it.
    [[nodiscard]] std::int64_t published() const noexcept { return published_; }

private:
    struct State; ///< connections, lanes and pages of one attempt

    Ending attempt();
    bool wait(milliseconds span);

    Surroundings surroundings_;
    Request request_;
    store::BackfillRun run_;
    Reporter reporter_;
    std::function<bool()> go_on_;
    kafka::Admin admin_;
    delivery::TopicLog topic_log_;
    delivery::Topics topics_;
    delivery::TopicWatch watch_;
    std::int64_t published_ = 0;
};

/// Where the run stands, as Kafka knows it. @throws Error(stop) when it cannot go on
Resume read_position(const Surroundings& surroundings, const kafka::Admin& admin,
                     const store::BackfillRun& run, const std::function<bool()>& go_on);

} // namespace outbox::backfill
