#include "outbox/delivery/publisher.hpp"

#include <outbox/faults/faults.hpp>

#include <algorithm>

namespace outbox::delivery {

namespace {

std::unique_ptr<kafka::Lane> make_lane(const PublisherOptions& publisher, std::string id,
                                       std::optional<std::size_t> batch_bytes) {
    kafka::LaneOptions options;
    options.client = publisher.client;
    options.transactional_id = std::move(id);
    options.transactional_family = publisher.transactional_family;
    options.batch_bytes = batch_bytes.value_or(options.batch_bytes);
    options.transaction_timeout = publisher.transaction_timeout;
    return publisher.make_lane(options);
}

/// It begins something, and carries no event.
bool is_first(const Batch& batch) {
    return batch.events() == 0 ||
           std::any_of(batch.manifests.begin(), batch.manifests.end(),
                       [](const BatchManifest& manifest) { return manifest.number == 1; });
}

} // namespace

std::string slot_ids(int slot) {
    return "p" + std::to_string(slot);
}

std::string shard_ids(int shard) {
    return std::to_string(shard);
}

std::string transactional_prefix(const Uuid& outbox_id, const std::string& ids) {
    return transactional_family(outbox_id) + ids;
}

std::string transactional_family(const Uuid& outbox_id) {
    return "outbox-" + outbox_id.to_string() + "-";
}

std::vector<std::string> lane_ids(const std::string& prefix) {
    return {prefix + "-0", prefix + "-1"};
}

void fence_lanes(const PublisherOptions& options, const std::string& prefix, Deadline deadline,
                 const std::function<bool()>& go_on) {
    std::vector<std::unique_ptr<kafka::Lane>> lanes;
    for (const std::string& id : lane_ids(prefix)) {
        lanes.push_back(make_lane(options, id, std::nullopt));
    }
    for (const auto& lane : lanes) {
        lane->init(deadline, go_on);
    }
}

Publisher::Publisher(PublisherOptions options, Signal& done)
    : options_(std::move(options)),
      done_(done),
      lane_ids_(delivery::lane_ids(options_.transactional_prefix)) {
    if (!options_.wait_without_thread) {
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
}

Publisher::~Publisher() {
    if (thread_.joinable()) {
        thread_.request_stop();
        thread_.join();
    }
}

void Publisher::wait_idle() {
    while (options_.wait_without_thread && busy()) {
        options_.wait_without_thread();
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !next_ && !sending_; });
}

void Publisher::stop() {
    wait_idle();
    lanes_ = {};
    end_.reset();
}

void Publisher::rename(std::string transactional_prefix) {
    options_.transactional_prefix = std::move(transactional_prefix);
    lane_ids_ = delivery::lane_ids(options_.transactional_prefix);
}

void Publisher::start(std::size_t batch_bytes, Deadline deadline, const std::function<bool()>& go_on) {
    stop();
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        lanes_.at(lane) = make_lane(options_, lane_ids_.at(lane), batch_bytes);
    }
    for (const auto& lane : lanes_) {
        lane->init(deadline, go_on);
    }
}

bool Publisher::busy() const {
    const std::lock_guard lock(mutex_);
    return next_ || sending_;
}

void Publisher::submit(std::unique_ptr<Batch> batch) {
    const std::lock_guard lock(mutex_);
    next_ = std::move(batch);
    changed_.notify_all();
}

std::optional<BatchEnd> Publisher::take_end() {
    const std::lock_guard lock(mutex_);
    return std::exchange(end_, std::nullopt);
}

BatchEnd Publisher::send(std::unique_ptr<Batch> sent) {
    const Batch& batch = *sent;
    BatchEnd ended;
    turn_ = (turn_ + 1) % lanes_.size();
    kafka::Lane& lane = *lanes_.at(turn_);
    const UnderWay under_way{batch, lane, lane_ids_.at(turn_), SteadyClock::now()};
    const bool first = is_first(batch);
    faults::point(first ? "before-first-produce" : "before-produce");
    // Open for less than the broker's own timeout, so that this side decides first.
    ended.end = lane.send(batch.records, Deadline::in(options_.transaction_timeout * 3 / 4),
                          [this, first, &under_way, &ended] {
                              faults::point(first ? "before-first-commit" : "before-commit");
                              options_.before_commit(under_way);
                              ended.commit_asked = true;
                              faults::point(first ? "before-first-end" : "before-end");
                          });
    faults::point(first ? "after-first-commit" : "after-commit");
    if (ended.end.failure || ended.end.strays) {
        lanes_ = {}; // the records' memory goes with the batch, so the clients must go first
    }
    ended.took = SteadyClock::now() - under_way.began;
    ended.batch = std::move(sent);
    return ended;
}

bool Publisher::work() {
    std::unique_lock lock(mutex_);
    if (!next_) {
        return false;
    }
    auto batch = std::move(next_);
    sending_ = true;
    lock.unlock();
    auto end = send(std::move(batch));
    lock.lock();
    end_ = std::move(end);
    sending_ = false;
    changed_.notify_all();
    lock.unlock();
    done_.notify();
    return true;
}

void Publisher::run(const std::stop_token& stop) {
    while (true) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait(lock, stop, [this] { return next_ != nullptr; })) {
            return;
        }
        lock.unlock();
        work();
    }
}

} // namespace outbox::delivery
