#include "relay.hpp"

#include "model_lane.hpp"

#include <outbox/telemetry/log.hpp>

#include <atomic>

namespace outbox::model {
namespace {

constexpr std::size_t most_events = 4;
constexpr std::size_t rows_a_statement = 2;
constexpr int most_retries = 2;

const Uuid outbox_id = numbered(200);

/// Key and data, and nothing else.
class PlainEncoder final : public messages::RecordEncoder {
public:
    void encode(const store::Row& row, std::int64_t, messages::Arena&, kafka::Record& record) const override {
        record.key = row.key;
        record.value = row.data;
    }
    [[nodiscard]] bool says_time() const noexcept override { return true; }
};

class ByNumber final : public partition::PartitionStrategy {
public:
    [[nodiscard]] std::optional<std::int32_t> choose(const partition::Routing& event,
                                                     std::int32_t count) const noexcept override {
        return (event.key.front() - '0') / shard_count % count; // no partition is one shard's alone
    }
};

relay::RelayOptions make_options(bool track_processing) {
    relay::RelayOptions options;
    options.name = "model";
    options.claim = {most_events, rows_a_statement, std::size_t{1} << 20, track_processing};
    options.max_retries = most_retries;
    options.messages.encoder = std::make_shared<PlainEncoder>();
    options.messages.strategy = std::make_shared<ByNumber>();
    return options;
}

const relay::RelayOptions& options_of(const Surroundings& world) {
    static const relay::RelayOptions tracked = make_options(true);
    static const relay::RelayOptions untracked = make_options(false);
    return world.track_processing ? tracked : untracked;
}

const std::string& control_topic() {
    static const std::string name = make_options(true).control_topic();
    return name;
}

const store::Identity& model_identity() {
    static const store::Identity identity{outbox_id, "model", "cluster", shard_count};
    return identity;
}

const std::atomic<unsigned>& no_returns() {
    static const std::atomic<unsigned> returns{0};
    return returns;
}

void be_silent() {
    static const bool done = [] {
        log::configure(Settings::load(Program::relay, {{"LOG_LEVEL", "off"}},
                                      [](const char*) -> const char* { return nullptr; }),
                       "model");
        return true;
    }();
    static_cast<void>(done);
}

/// Fibers are made once a thread, not once a schedule.
class FiberPool {
public:
    std::unique_ptr<Fiber> take() {
        if (free_.empty()) {
            return std::make_unique<Fiber>();
        }
        auto fiber = std::move(free_.back());
        free_.pop_back();
        return fiber;
    }
    void give_back(std::unique_ptr<Fiber> fiber) { free_.push_back(std::move(fiber)); }

private:
    std::vector<std::unique_ptr<Fiber>> free_;
};
thread_local FiberPool fibers;

/// Of "...-p<slot>-<lane>".
int number_of(std::string_view transactional_id) {
    const int slot = transactional_id[transactional_id.size() - 3] - '0';
    return slot * lanes_a_slot + (transactional_id.back() - '0');
}

} // namespace

Relay::Relay(int number, Surroundings& world)
    : world_(world),
      life_{world, number, number},
      session_(std::in_place, life_),
      brokers_(life_),
      identities_(life_),
      clock_(life_),
      loop_fiber_(fibers.take()),
      publisher_fiber_(fibers.take()) {
    be_silent();
    begin();
}

Relay::~Relay() {
    publisher_fiber_->end();
    loop_fiber_->end();
    fibers.give_back(std::move(publisher_fiber_));
    fibers.give_back(std::move(loop_fiber_));
}

void Relay::begin() {
    const relay::RelayOptions& options = options_of(world_);
    delivery::PublisherOptions publisher;
    publisher.make_lane = [this](const kafka::LaneOptions& lane) {
        return std::make_unique<ModelLane>(life_, number_of(lane.transactional_id), control_topic());
    };
    publisher.wait_without_thread = [] { Fiber::wait(); };
    loop_.emplace(
        relay::PipelineLoop::Settings{numbered(life_.identity), model_identity(), no_returns(), [] {}},
        relay::Work::Settings{0, shard_count, options, outbox_id, pauses_, budget_, outlived_},
        relay::Seams{*session_, brokers_, topics_, identities_, clock_, observer_}, std::move(publisher));
}

bool Relay::may_take(int shard) const {
    const int owner = world_.database.now.shard(shard).owner;
    return owner == nobody || owner == identity() || !world_.database.lives(owner);
}

bool Relay::may_take_one() const {
    for (int shard = 0; shard < shard_count; ++shard) {
        if (may_take(shard)) {
            return true;
        }
    }
    return false;
}

/// What the node does where a heartbeat shows that it may; others may be faster.
void Relay::take_shares() {
    for (const int shard : loop_->take_gone()) {
        shards_.reset(static_cast<std::size_t>(shard));
    }
    const int shard = world_.dice.below(shard_count);
    const auto place = static_cast<std::size_t>(shard);
    if (!shards_[place] && may_take(shard)) {
        shards_.set(place);
        loop_->bell().take(shard);
    }
}

void Relay::step() {
    take_shares();
    if (shards_.none()) {
        return;
    }
    run_publisher();
    if (loop_fiber_->busy()) {
        loop_fiber_->go_on();
    } else {
        loop_fiber_->begin([this] {
            while (loop_->step()) {
            }
        });
    }
    run_publisher(); // perhaps it was given a batch
}

bool Relay::stopped(int shard) const {
    return loop_->state(shard) == relay::ShardState::stopped &&
           world_.database.now.shard(shard).owner == identity();
}

void Relay::run_publisher() {
    if (publisher_fiber_->busy()) {
        if (life_.sending == nullptr || !life_.sending->producer().waits() ||
            !world_.have(Cure::one_at_a_time)) {
            publisher_fiber_->go_on();
        }
    } else if (loop_->publisher().busy()) {
        publisher_fiber_->begin([this] { loop_->publisher().work(); });
    }
}

void Relay::crash() {
    life_.say("crashes");
    ++world_.counts.crashes;
    publisher_fiber_->end();
    loop_fiber_->end();
    world_.database.disconnect(life_.relay);
    loop_.reset();
    life_.identity += relay_count;
    life_.served = 0;
    session_.emplace(life_);
    hung = false;
    shards_.reset();
    end_pauses();
    world_.database.join(life_.relay, life_.identity);
    begin();
}

bool Relay::hear(const Message& message) {
    for (ModelLane* lane : life_.lanes) {
        if (lane->producer().hear(message, world_.network)) {
            return true;
        }
    }
    return false;
}

bool Relay::awaits(const Message& message) const {
    for (const ModelLane* lane : life_.lanes) {
        if (lane->producer().awaits(message)) {
            return true;
        }
    }
    return false;
}

bool Relay::time_out(bool again, Dice& dice) {
    const auto& lanes = life_.lanes;
    const std::size_t first = lanes.empty() ? 0 : static_cast<std::size_t>(dice.below(lane_count));
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        Producer& producer = lanes[(first + i) % lanes.size()]->producer();
        if (producer.waits()) {
            life_.say("gets no answer in time on a lane and ", again ? "asks again" : "gives up");
            producer.time_out(again, world_.network);
            return true;
        }
    }
    return false;
}

void Relay::turn_pause(int shard) {
    paused_.flip(static_cast<std::size_t>(shard));
    store::Pauses pauses;
    for (int each = 0; each < shard_count; ++each) {
        if (paused_[static_cast<std::size_t>(each)]) {
            pauses.shards.insert(each);
        }
    }
    pauses_.update(pauses);
}

void Relay::end_pauses() {
    paused_.reset();
    pauses_.update({});
}

void Relay::ask_release(int shard) {
    if (shards_[static_cast<std::size_t>(shard)]) {
        life_.say("is to give shard ", shard, " back");
        loop_->bell().request_release(shard);
    }
}

void Relay::ask_hand_over(int shard) {
    if (shards_[static_cast<std::size_t>(shard)]) {
        life_.say("is to hand shard ", shard, " over");
        loop_->bell().request_hand_over(shard);
    }
}

void Relay::doubt() {
    for (int shard = 0; shard < shard_count; ++shard) {
        if (shards_[static_cast<std::size_t>(shard)]) {
            loop_->bell().doubt(shard);
        }
    }
}

} // namespace outbox::model
