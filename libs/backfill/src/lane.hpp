#pragma once

#include "outbox/backfill/position.hpp"

#include <outbox/delivery/publisher.hpp>
#include <outbox/delivery/topic_watch.hpp>
#include <outbox/store/history.hpp>

#include <deque>
#include <memory>
#include <optional>

namespace outbox::backfill {

/// A page of events until every lane has published its part of it.
struct OpenPage {
    store::Page page;
    int parts_left = 0;
};

/// What one lane has to publish of a page, in one transaction.
struct Part {
    std::shared_ptr<OpenPage> of;
    std::unique_ptr<delivery::Batch> batch;
    std::int64_t events = 0;
    std::int64_t through = 0;
};

/// Where a lane's control records go.
struct ControlPlace {
    Uuid run;
    std::string topic;
    std::int32_t partition = 0;
};

/// The events of some buckets, one transaction after the other, so that the order of each key is kept.
/// Not thread-safe.
class Lane {
public:
    /// @param options  whose before_commit is the lane's own
    /// @param done     rings when something may be collected
    Lane(int number, ControlPlace place, delivery::PublisherOptions options, const kafka::Admin& admin,
         delivery::TopicWatch& watch, delivery::Signal& done)
        : number_(number),
          place_(std::move(place)),
          watch_(watch),
          done_(done),
          publisher_(guarded(std::move(options), admin, watch), done) {}

    /// Fences and decides what an earlier process left.
    void start(std::size_t batch_bytes, Deadline deadline, const std::function<bool()>& go_on) {
        publisher_.start(batch_bytes, deadline, go_on);
    }
    void go_on_from(const LanePosition& position) { position_ = position; }

    /// Adds a part behind those that wait.
    void add(Part part) { waiting_.push_back(std::move(part)); }
    /// Forgets what is not under way.
    void drop_waiting() { waiting_.clear(); }
    /// Begins the next transaction when none is under way. @param settled  as LanePosition says
    /// @throws Error when brokers do not say which topics there are
    void pump(std::int64_t settled);
    /// The page whose part was published since the last call, into topics that are still those that they
    /// were.
    /// @throws Error when it was not, or is in doubt
    std::shared_ptr<OpenPage> collect();

    /// Nothing waits and nothing is being sent.
    [[nodiscard]] bool idle() const noexcept { return !sending_ && waiting_.empty(); }
    [[nodiscard]] bool sending() const noexcept { return sending_.has_value(); }
    [[nodiscard]] const LanePosition& position() const noexcept { return position_; }

private:
    static delivery::PublisherOptions guarded(delivery::PublisherOptions options, const kafka::Admin& admin,
                                              delivery::TopicWatch& watch);
    bool ended();
    bool proven();

    int number_;
    ControlPlace place_;
    delivery::TopicWatch& watch_;
    delivery::Signal& done_;
    LanePosition position_;
    std::deque<Part> waiting_;
    std::optional<Part> sending_;                  ///< its batch is the publisher's
    LanePosition next_;                            ///< once `sending_` is published
    delivery::TopicIdentities topics_;             ///< of `sending_`, before any of its records was sent
    std::optional<SteadyClock::time_point> ended_; ///< when the answer to its commit was taken
    delivery::Publisher publisher_; ///< last, so that it goes before what its records point into
};

} // namespace outbox::backfill
