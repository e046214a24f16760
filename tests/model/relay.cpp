// The life of a model relay: the shard's own, and recovery. relay_work.cpp has what it does while it works.
#include "relay.hpp"

#include "say.hpp"

#include <algorithm>

namespace outbox::model {
namespace {

using relay::ShardState;

Uuid numbered(int number) {
    Uuid::Bytes bytes{};
    bytes[15] = static_cast<std::uint8_t>(number);
    return Uuid(bytes);
}

const Uuid outbox_id = numbered(200);
constexpr std::size_t most_events = 4;

} // namespace

const Uuid& Relay::outbox() {
    return outbox_id;
}

Relay::Relay(int number) : number_(number), limit_(most_events) {}

std::string Relay::describe() const {
    static constexpr std::array names{"unowned", "fencing",   "reading",     "settling", "working",
                                      "resting", "releasing", "backing off", "stopped",  "ended"};
    return fmt::format("relay {}.{} {}", number_, life_, names[static_cast<std::size_t>(state())]);
}

void Relay::step(Surroundings& world, Dice& dice) {
    machine_.heed(wishes);
    switch (machine_.state()) {
    case ShardState::unowned:
        return take(world, dice);
    case ShardState::fencing:
        return fence(world);
    case ShardState::reading:
        return read_manifests(world);
    case ShardState::settling:
        return settle(world, dice);
    case ShardState::working:
        return work(world, dice);
    case ShardState::resting:
        if (!wishes.pause || wishes.release) {
            machine_.done();
        }
        return;
    case ShardState::releasing:
        return release(world, dice);
    case ShardState::backing_off:
        return machine_.done();
    case ShardState::stopped:
        return;
    case ShardState::ended:
        break;
    }
    // The node begins anew where a heartbeat shows that it may.
    wishes.release = false;
    const Tables& tables = world.database.now;
    if (tables.owner == nobody || tables.owner == identity() || !world.database.owner_lives()) {
        machine_ = {};
    }
}

void Relay::crash(Surroundings& world) {
    say(world, "crashes");
    ++world.counts.crashes;
    const int life = life_ + 1;
    world.database.disconnect(number_);
    *this = Relay(number_);
    life_ = life;
    world.database.join(number_, identity());
}

bool Relay::hear(const Message& message, Surroundings& world) {
    return std::any_of(lanes_.begin(), lanes_.end(),
                       [&](Producer& lane) { return lane.hear(message, world.network); });
}

bool Relay::awaits(const Message& message) const {
    return std::any_of(lanes_.begin(), lanes_.end(),
                       [&](const Producer& lane) { return lane.awaits(message); });
}

bool Relay::time_out(bool again, Dice& dice, Surroundings& world) {
    const auto first = static_cast<std::size_t>(dice.below(lane_count));
    for (std::size_t i = 0; i < lane_count; ++i) {
        Producer& lane = lanes_[(first + i) % lane_count];
        if (lane.waits()) {
            say(world, "gets no answer in time on a lane and ", again ? "asks again" : "gives up");
            lane.time_out(again, world.network);
            return true;
        }
    }
    return false;
}

void Relay::drop(Surroundings& world) {
    world.database.unlock(number_);
    turn_ = {};
    ready_.reset();
    publishing_.clear();
    published_.clear();
}

void Relay::fail(const std::string& why, Surroundings& world) {
    say(world, "recovers: ", why);
    ++world.counts.recoveries;
    drop(world);
    machine_.failed();
}

void Relay::lose(Surroundings& world) {
    say(world, "finds that it is not the owner");
    drop(world);
    for (Producer& lane : lanes_) {
        lane.destroy();
    }
    machine_.lost();
}

void Relay::stop(const std::string& reason, Surroundings& world) {
    say(world, "stops: ", reason);
    drop(world);
    reason_ = reason;
    machine_.stop();
}

Relay::Fault Relay::fault(const Surroundings& world, Dice& dice) {
    if (!world.faults || !dice.one_in(20)) {
        return Fault::none;
    }
    return dice.one_in(2) ? Fault::before : Fault::after;
}

bool Relay::owns(const Tables& tables) const {
    return tables.owner == identity() && tables.epoch == acquired_.ownership.epoch;
}

/// Runs a transaction that needs the shard's lock exclusively, or a single statement.
template <class Write>
bool Relay::write(Surroundings& world, Dice& dice, Write write) {
    if (!world.database.session(number_)) {
        fail("no connection", world);
        return false;
    }
    const Fault broken = fault(world, dice);
    if (broken != Fault::before && write(world.database.now)) {
        world.database.flush();
    } else if (broken == Fault::none) {
        return false;
    }
    if (broken != Fault::none) {
        world.database.disconnect(number_);
        fail(broken == Fault::before ? "connection lost" : "connection lost after COMMIT was sent", world);
        return false;
    }
    return true;
}

void Relay::take(Surroundings& world, Dice& dice) {
    world.database.connect(number_);
    if (!world.database.free_for(number_)) {
        return; // waits for the lock
    }
    bool taken = false;
    const bool answered = write(world, dice, [&](Tables& tables) {
        taken = tables.owner == nobody || tables.owner == identity() || !world.database.owner_lives();
        if (taken) {
            tables.owner = static_cast<std::int16_t>(identity());
            ++tables.epoch;
        }
        return true;
    });
    if (!answered) {
        return;
    }
    if (!taken) {
        return lose(world);
    }
    ++world.counts.takes;
    const Tables& tables = world.database.now;
    acquired_ = {{0, numbered(identity()), tables.epoch}, {tables.marked_batch, tables.marked_offset}};
    say(world, "takes the shard under epoch ", tables.epoch);
    for (Producer& lane : lanes_) {
        lane.destroy();
    }
    lanes_begun_ = 0;
    lanes_fenced_ = 0;
    watermark_ = -1;
    machine_.done();
}

/// @return whether the lanes are initialised: one after the other
bool Relay::fenced(Surroundings& world) {
    const std::size_t wanted = world.have(Cure::both_lanes) ? lane_count : 1;
    if (lanes_begun_ > 0 && lanes_fenced_ < lanes_begun_) {
        const auto phase = lanes_[lanes_fenced_].phase();
        if (phase == Producer::Phase::ended) {
            fail("init_transactions", world);
        } else if (phase == Producer::Phase::idle) {
            ++lanes_fenced_;
        }
    } else if (lanes_begun_ < wanted) {
        lanes_[lanes_begun_].start(static_cast<int>(lanes_begun_), ++world.clients, world.network);
        ++lanes_begun_;
    }
    return lanes_fenced_ == wanted;
}

void Relay::fence(Surroundings& world) {
    if (!world.have(Cure::fence_first) || fenced(world)) {
        say(world, "has new lanes");
        machine_.done();
    }
}

void Relay::read_manifests(Surroundings& world) {
    const int stable = world.kafka.last_stable_offset(control);
    if (watermark_ < 0) {
        watermark_ =
            world.have(Cure::high_watermark) ? static_cast<int>(world.kafka.log(control).size()) : stable;
        return;
    }
    if (stable < watermark_) {
        return; // an open transaction holds the reader back
    }
    const auto found = tail(world);
    auto plan = relay::plan_recovery(outbox_id, acquired_, found);
    if (!world.have(Cure::manifest)) {
        plan = relay::Settle{.rows = {}, .gone = {}, .by_topic = {}, .newest = acquired_.marked};
    } else if (const auto* stopped = std::get_if<relay::StopShard>(&plan)) {
        if (!owns(world.database.now)) {
            return lose(world);
        }
        if (world.have(Cure::gapless)) {
            return stop(stopped->reason, world);
        }
        plan = naive_plan(found);
    }
    settle_ = std::get<relay::Settle>(plan);
    say(world, "has read manifests up to batch ", settle_.newest.batch);
    machine_.done();
}

kafka::ControlTail Relay::tail(const Surroundings& world) const {
    const auto& log = world.kafka.log(control);
    kafka::ControlTail tail{0, watermark_, {}};
    const auto from = acquired_.marked.batch == 0 ? 0 : acquired_.marked.offset;
    const auto end = std::min<std::int64_t>(world.kafka.last_stable_offset(control),
                                            static_cast<std::int64_t>(log.size()));
    for (auto offset = from; offset < end; ++offset) {
        const LogRecord& record = log[static_cast<std::size_t>(offset)];
        if (record.fate == Fate::committed && record.payload != LogRecord::marker) {
            tail.records.push_back({offset, world.manifests[static_cast<std::size_t>(record.payload)]});
        }
    }
    return tail;
}

/// Takes what there is for the whole truth.
relay::Settle Relay::naive_plan(const kafka::ControlTail& tail) const {
    relay::Settle settle{.rows = {}, .gone = {}, .by_topic = {}, .newest = acquired_.marked};
    for (const auto& record : tail.records) {
        const auto manifest = delivery::decode(record.value);
        settle.newest = {manifest->batch, record.offset};
        for (const auto& row : manifest->rows) {
            settle.rows.push_back({row.bucket, row.seq, row.digest, "SENT"});
        }
    }
    return settle;
}

void Relay::settle(Surroundings& world, Dice& dice) {
    if (!world.database.free_for(number_)) {
        return;
    }
    bool owner = true;
    bool same_ids = true;
    const bool raise = std::exchange(settle_.raise_epoch, false);
    const bool answered = write(world, dice, [&](Tables& tables) {
        if (raise || world.have(Cure::ownership_settle)) {
            owner = owns(tables);
        }
        if (owner && raise) {
            acquired_.ownership.epoch = ++tables.epoch;
        } else if (owner) {
            Tables changed = tables;
            same_ids = bring_in_line(changed, world);
            if (same_ids) {
                tables = changed;
            }
        }
        return owner && same_ids;
    });
    if (!owner) {
        return lose(world);
    }
    if (!same_ids) {
        return stop("a row is another event than its manifest names", world);
    }
    if (!answered || raise) {
        return;
    }
    acquired_.marked = settle_.newest;
    next_batch_ = settle_.newest.batch + 1;
    say(world, "has settled the rows");
    if (next_batch_ == 1 && world.have(Cure::first_manifest)) {
        ready_ = load_of({}, world);
    }
    machine_.done();
}

/// @return false when a row has another id than its manifest says
bool Relay::bring_in_line(Tables& tables, const Surroundings& world) const {
    for (const store::ManifestedRow& named : settle_.rows) {
        tables.next_seq = std::max(tables.next_seq, static_cast<std::int16_t>(named.seq + 1));
        Row& row = tables.rows[static_cast<std::size_t>(named.seq)];
        if (!row.unsent()) {
            continue;
        }
        if (world.have(Cure::digest) && row.id != static_cast<int>(named.digest)) {
            return false;
        }
        row.status = Status::sent;
        row.waits = Waits::no;
    }
    for (int key = 0; key < key_count; ++key) {
        bool& blocked = tables.blocked[static_cast<std::size_t>(key)];
        blocked = world.have(Cure::blocked_keys) && (blocked || tables.first_waiting(key) != nullptr);
    }
    const bool sent = !world.have(Cure::row_set) && settle_.newest.batch > acquired_.marked.batch;
    for (Row& row : tables.rows) {
        if (row.committed && row.status == Status::processing && world.have(Cure::reset)) {
            row.status = sent ? Status::sent : Status::fresh;
            row.waits = tables.blocked[static_cast<std::size_t>(row.key)] ? Waits::held : row.waits;
        }
    }
    tables.marked_batch = static_cast<std::int16_t>(settle_.newest.batch);
    tables.marked_offset = static_cast<std::int16_t>(settle_.newest.offset);
    return true;
}

void Relay::release(Surroundings& world, Dice& dice) {
    const bool answered = write(world, dice, [&](Tables& tables) {
        if (owns(tables)) {
            tables.owner = nobody;
        }
        return true;
    });
    if (answered) {
        say(world, "gives the shard back");
        machine_.done();
    }
}

} // namespace outbox::model
