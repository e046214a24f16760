// What a model relay does while it works: collect, submit, mark, claim, build.
#include "relay.hpp"
#include "say.hpp"

#include <outbox/delivery/retry_policy.hpp>

#include <algorithm>
#include <utility>

namespace outbox::model {
namespace {

constexpr int most_retries = 2;
constexpr std::size_t rows_a_statement = 2;
constexpr std::size_t most_unmarked = 5; ///< of a relay that takes its time

} // namespace

bool Relay::in_flight(int seq) const {
    const auto holds = [seq](const Load& load) {
        return std::find(load.seqs.begin(), load.seqs.end(), seq) != load.seqs.end();
    };
    return (ready_ && holds(*ready_)) || std::any_of(publishing_.begin(), publishing_.end(), holds) ||
           std::any_of(published_.begin(), published_.end(), holds);
}

bool Relay::more_to_claim(const Tables& tables) const {
    for (int seq = 0; seq < tables.next_seq; ++seq) {
        const Row& row = tables.rows[static_cast<std::size_t>(seq)];
        if (row.claimable() && !tables.blocked[static_cast<std::size_t>(row.key)] && !in_flight(seq)) {
            return true;
        }
    }
    return false;
}

relay::InHand Relay::hand(const Surroundings& world) const {
    relay::InHand hand;
    hand.ready = ready_.has_value();
    hand.publishing = !publishing_.empty();
    hand.published = !published_.empty();
    hand.alone = hand.publishing && publishing_.front().number == 1 && publishing_.front().seqs.empty();
    if (!world.have(Cure::bounded_unmarked) && published_.size() < most_unmarked) {
        hand.published = hand.published && !more_to_claim(world.database.now);
    }
    hand.proven = hand.published; // topics stay what they are here
    if (!world.have(Cure::one_at_a_time)) {
        hand.publishing = publishing_.size() == lane_count;
    }
    return hand;
}

/// One pass, or the next part of its turn.
void Relay::work(Surroundings& world, Dice& dice) {
    if (turn_.stage == Turn::Stage::reading) {
        claim_ready(world, rows_a_statement);
        turn_.stage = Turn::Stage::committing;
        return;
    }
    if (turn_.stage == Turn::Stage::committing) {
        return commit_turn(world, dice);
    }
    if (!world.have(Cure::fence_first) && !fenced(world)) {
        return;
    }
    if (std::exchange(doubted, false) && !owns(world.database.now)) {
        return lose(world);
    }
    collect(world);
    if (state() != relay::ShardState::working) {
        return;
    }
    submit(world);
    turn_.wished = wishes;
    turn_.pass = relay::ShardMachine::plan_pass(hand(world), wishes, true);
    if (turn_.pass.nothing()) {
        return machine_.pass_ended(hand(world), wishes);
    }
    begin_turn(world, dice);
}

void Relay::collect(Surroundings& world) {
    for (std::size_t i = 0; i < publishing_.size();) {
        Load& load = publishing_[i];
        Producer& lane = lane_of(load);
        if (load.aborting && lane.phase() == Producer::Phase::idle) {
            say(world, "takes its abort for granted and sends batch ", load.number, " again");
            load.aborting = false;
            lane.send(load.outgoing, world.network);
        }
        if (lane.phase() != Producer::Phase::ended) {
            ++i;
            continue;
        }
        const int refused = lane.refused_id();
        auto end = lane.take_end();
        if (end.failure && !world.have(Cure::new_producers) && !load.aborting) {
            load.aborting = true;
            lane.abort(world.network);
            continue;
        }
        if (end.failure) {
            after_failure(load, *end.failure, refused, world);
        } else {
            limit_.sent();
            end.strays = end.strays && world.have(Cure::strays);
        }
        if (const auto doubt = delivery::doubt_about(end)) {
            return fail(*doubt, world);
        }
        load.offset = end.deliveries.back().offset;
        say(world, "has published batch ", load.number);
        ++world.counts.batches;
        published_.push_back(std::move(load));
        publishing_.erase(publishing_.begin() + static_cast<long>(i));
    }
}

void Relay::after_failure(const Load& load, const kafka::Failure& failure, int refused_id,
                          const Surroundings& world) {
    delivery::Batch batch;
    batch.claimed.rows.resize(load.seqs.size());
    batch.records.resize(load.seqs.size() + 1);
    switch (delivery::remedy_for(failure, batch)) {
    case delivery::Remedy::split:
        say(world, "splits the batch: event ", refused_id, " spoils it");
        limit_.spoilt(load.seqs.size());
        break;
    case delivery::Remedy::blame_row:
        blamed_[static_cast<std::size_t>(load.seqs.front())] = true;
        limit_.found();
        break;
    case delivery::Remedy::none:
    case delivery::Remedy::blame_dead_letter:
    case delivery::Remedy::refuse_topic:
        break;
    }
}

void Relay::submit(Surroundings& world) {
    if (!ready_ || (world.have(Cure::one_at_a_time) && !publishing_.empty())) {
        return;
    }
    Producer& lane = lane_of(*ready_);
    if (lane.phase() == Producer::Phase::none) { // nobody has initialised it
        lane.start(static_cast<int>(ready_->number % lane_count), ++world.clients, world.network);
    }
    if (lane.phase() == Producer::Phase::idle) {
        say(world, "sends batch ", ready_->number, " with ", ready_->seqs.size(), " events");
        lane.send(ready_->outgoing, world.network);
        publishing_.push_back(std::move(*ready_));
        ready_.reset();
    } else if (lane.phase() == Producer::Phase::ended) {
        fail("a lane is of no use", world);
    }
}

/// Later events of blocked keys are held aside, and keys of which none waits are free again.
void Relay::tend(Surroundings& world) {
    Tables& tables = world.database.now;
    for (std::size_t seq = 0; seq < tables.rows.size(); ++seq) {
        Row& row = tables.rows[seq];
        if (row.claimable() && tables.blocked[static_cast<std::size_t>(row.key)] &&
            !in_flight(static_cast<int>(seq))) {
            row.waits = Waits::held;
        }
    }
    for (int key = 0; key < key_count; ++key) {
        bool& blocked = tables.blocked[static_cast<std::size_t>(key)];
        blocked = blocked && tables.first_waiting(key) != nullptr;
    }
}

void Relay::begin_turn(Surroundings& world, Dice& dice) {
    Database& database = world.database;
    if (!database.session(number_)) {
        return fail("no connection", world);
    }
    if (world.have(Cure::shard_lock)) {
        database.lock_shared(number_);
    }
    if (world.have(Cure::ownership_turn) && !owns(database.now)) {
        return lose(world);
    }
    turn_.floor = -1;
    turn_.claimed.clear();
    turn_.waiting = false;
    turn_.stage = Turn::Stage::committing;
    if (!turn_.pass.claim) {
        return;
    }
    tend(world);
    turn_.waiting = dice.one_in(2) && claim_waiting(database.now);
    if (turn_.waiting) {
        return;
    }
    claim_ready(world, rows_a_statement);
    if (world.have(Cure::one_snapshot)) {
        claim_ready(world, rows_a_statement);
    } else {
        turn_.stage = Turn::Stage::reading;
    }
}

/// One statement of a claim; what follows reads on from where it ended.
void Relay::claim_ready(Surroundings& world, std::size_t most) {
    const Tables& tables = world.database.now;
    most = std::min(most, limit_.now() - std::min(limit_.now(), turn_.claimed.size()));
    for (int seq = turn_.floor + 1; seq < tables.next_seq && most > 0; ++seq) {
        const Row& row = tables.rows[static_cast<std::size_t>(seq)];
        turn_.floor = seq;
        if (row.claimable() && !in_flight(seq) && !tables.blocked[static_cast<std::size_t>(row.key)]) {
            turn_.claimed.push_back(static_cast<std::int16_t>(seq));
            --most;
        }
    }
}

/// A row whose retry is due, or those that were held behind one and need wait no more.
bool Relay::claim_waiting(const Tables& tables) {
    for (int key = 0; key < key_count; ++key) {
        const Row* first = tables.first_waiting(key);
        for (int seq = 0; first != nullptr && seq < tables.next_seq; ++seq) {
            const Row& row = tables.rows[static_cast<std::size_t>(seq)];
            const bool waits = row.unsent() && row.key == key && row.waits != Waits::no;
            if (waits && row.waits != first->waits) {
                break;
            }
            if (waits && row.status == Status::fresh && turn_.claimed.size() < limit_.now()) {
                turn_.claimed.push_back(static_cast<std::int16_t>(seq));
                if (row.waits == Waits::for_retry) {
                    break; // alone
                }
            }
        }
        if (!turn_.claimed.empty()) {
            return true;
        }
    }
    return false;
}

void Relay::commit_turn(Surroundings& world, Dice& dice) {
    Database& database = world.database;
    if (!database.session(number_)) {
        return fail("connection lost in a turn", world);
    }
    const Fault broken = fault(world, dice);
    if (broken != Fault::before) {
        mark_and_claim(database.now, world);
        if (world.have(Cure::flush_first)) {
            database.flush();
        }
    }
    if (broken != Fault::none) {
        database.disconnect(number_);
        return fail(broken == Fault::before ? "connection lost in a turn" : "connection lost in COMMIT",
                    world);
    }
    database.unlock(number_);
    if (turn_.pass.mark) {
        published_.clear();
    }
    const auto claimed = std::move(turn_.claimed);
    const relay::Wishes wished = turn_.wished;
    turn_ = {};
    if (!claimed.empty()) {
        build(claimed, world);
    }
    if (state() == relay::ShardState::working) {
        machine_.pass_ended(hand(world), wished);
    }
}

void Relay::mark_and_claim(Tables& tables, const Surroundings& world) {
    for (const Load& load : published_) {
        if (!turn_.pass.mark) {
            break;
        }
        for (const int seq : load.seqs) {
            Row& row = tables.rows[static_cast<std::size_t>(seq)];
            if (row.unsent()) {
                row.status = Status::sent;
            }
        }
        tables.marked_batch = static_cast<std::int16_t>(load.number);
        tables.marked_offset = static_cast<std::int16_t>(load.offset);
        say(world, "marks batch ", load.number);
    }
    if (!world.track_processing && !turn_.waiting) {
        return;
    }
    std::erase_if(turn_.claimed, [&](int seq) {
        Row& row = tables.rows[static_cast<std::size_t>(seq)];
        if (!row.committed || row.status != Status::fresh) {
            return true;
        }
        row.status = Status::processing;
        row.waits = Waits::no;
        return false;
    });
}

/// Claimed rows -> a batch.
void Relay::build(const std::vector<std::int16_t>& claimed, Surroundings& world) {
    auto going = sort_out(claimed, world);
    if (going.empty()) {
        return;
    }
    ready_ = load_of(std::move(going), world);
    submit(world);
}

/// Rows that were refused wait for a retry or are given up; later ones of their keys go back.
std::vector<std::int16_t> Relay::sort_out(const std::vector<std::int16_t>& claimed, Surroundings& world) {
    Tables& tables = world.database.now;
    std::vector<std::int16_t> going;
    std::array<bool, key_count> blocked{};
    for (const std::int16_t seq : claimed) {
        Row& row = tables.rows[static_cast<std::size_t>(seq)];
        const auto key = static_cast<std::size_t>(row.key);
        bool& blamed = blamed_[static_cast<std::size_t>(seq)];
        if (!blocked[key] && !blamed && (row.retries == 0 || claimed.size() == 1)) {
            going.push_back(seq);
            continue;
        }
        if (world.have(Cure::ownership_turn) && !owns(tables)) {
            lose(world);
            return {};
        }
        if (blocked[key]) {
            row.status = Status::fresh;
            row.waits = tables.blocked[key] ? Waits::held : Waits::no;
            continue;
        }
        blocked[key] = true;
        store::Row attempted;
        attempted.retry_count = row.retries;
        const bool give_up = blamed && delivery::next_attempt(attempted, most_retries, {}, 0).give_up;
        row.status = give_up ? Status::failed : Status::fresh;
        row.waits = give_up ? Waits::no : Waits::for_retry;
        row.retries = static_cast<std::int16_t>(row.retries + (blamed ? 1 : 0));
        tables.blocked[key] = tables.blocked[key] || !give_up;
        say(world, "event ", int{row.id}, give_up ? " is given up" : " waits for its retry");
        blamed = false;
    }
    if (going.size() < claimed.size()) {
        world.database.flush();
    }
    return going;
}

Load Relay::load_of(std::vector<std::int16_t> seqs, Surroundings& world) {
    Load load;
    load.number = next_batch_++;
    delivery::Manifest manifest{
        outbox(), acquired_.ownership.relay, acquired_.ownership.epoch, load.number, {}};
    for (const std::int16_t seq : seqs) {
        const Row& row = world.database.now.rows[static_cast<std::size_t>(seq)];
        manifest.rows.push_back({0, seq, static_cast<std::uint32_t>(row.id), delivery::Outcome::sent});
        load.outgoing.add(row.key % data_partitions, row.id);
    }
    load.outgoing.add(control, static_cast<int>(world.manifests.size()));
    world.manifests.push_back(delivery::encode(manifest));
    world.batch_of_manifest.push_back(static_cast<std::int16_t>(load.number));
    load.seqs = std::move(seqs);
    return load;
}

} // namespace outbox::model
