#pragma once

#include <outbox/kafka/lane.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace outbox::relays {

/// A lane around the one over librdkafka that loses the answers to some commits: what was sent is committed,
/// and its relay does not hear so.
class ForgetfulLane final : public kafka::Lane {
public:
    /// @param sent     transactions of all lanes that count there; outlives it
    /// @param forgets  whether the answer to the one of that number, from 1, is lost
    ForgetfulLane(const kafka::LaneOptions& options, std::atomic<int>& sent, std::function<bool(int)> forgets)
        : lane_(kafka::make_lane(options)),
          sent_(sent),
          forgets_(std::move(forgets)) {}

    void init(Deadline deadline, const std::function<bool()>& go_on) override {
        lane_->init(deadline, go_on);
    }

    kafka::TransactionEnd send(const std::vector<kafka::Record>& records, Deadline deadline,
                               const std::function<void()>& before_commit) override {
        auto end = lane_->send(records, deadline, before_commit);
        if (forgets_(++sent_)) {
            end.failure = kafka::Failure{0, kafka::Blame::nobody, "the answer was lost"};
            end.strays = true;
        }
        return end;
    }

private:
    std::unique_ptr<kafka::Lane> lane_;
    std::atomic<int>& sent_;
    std::function<bool(int)> forgets_;
};

} // namespace outbox::relays
