#include "outbox/delivery/publisher.hpp"

#include <outbox/faults/faults.hpp>

namespace outbox::delivery {

std::string transactional_prefix(const Uuid& outbox_id, int shard) {
    return transactional_family(outbox_id) + std::to_string(shard);
}

std::string transactional_family(const Uuid& outbox_id) {
    return "outbox-" + outbox_id.to_string() + "-";
}

std::vector<std::string> lane_ids(const std::string& prefix) {
    return {prefix + "-0", prefix + "-1"};
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

void Publisher::start(std::size_t batch_bytes, Deadline deadline, const std::function<bool()>& go_on) {
    stop();
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        kafka::LaneOptions options;
        options.client = options_.client;
        options.transactional_id = lane_ids_.at(lane);
        options.transactional_family = options_.transactional_family;
        options.batch_bytes = batch_bytes;
        options.transaction_timeout = options_.transaction_timeout;
        lanes_.at(lane) = options_.make_lane(options);
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
    const auto number = static_cast<std::size_t>(batch.number % 2);
    kafka::Lane& lane = *lanes_.at(number);
    const UnderWay under_way{batch, lane, lane_ids_.at(number), SteadyClock::now()};
    const bool first = batch.number == 1; // a manifest alone
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
