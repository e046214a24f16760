#include "world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace outbox::model {
namespace {

constexpr std::size_t most_messages = 24;
constexpr int most_rounds = 3000;
constexpr int most_deliveries = 16; ///< in a round
constexpr int most_steps = 300;     ///< of a schedule
constexpr std::chrono::seconds between_steps{2};

} // namespace

Schedule schedule_of(std::uint64_t seed) {
    Dice dice(seed);
    Schedule schedule{dice.next(), {}};
    const int steps = 40 + dice.below(most_steps - 40);
    schedule.words.reserve(static_cast<std::size_t>(steps));
    for (int i = 0; i < steps; ++i) {
        schedule.words.push_back(static_cast<std::uint32_t>(dice.next() >> 32));
    }
    return schedule;
}

World::World(const Schedule& schedule, const Cures& cures, Trace* trace)
    : schedule_(schedule),
      setup_(schedule.seed),
      mood_(static_cast<Mood>(setup_.below(static_cast<int>(Mood::count)))),
      special_(setup_.one_in(3) ? static_cast<Special>(1 + setup_.below(static_cast<int>(Special::count) - 1))
                                : Special::none),
      asynchronous_(setup_.one_in(3)),
      kafka_(setup_.one_in(4)),
      world_{database_, kafka_, network_, cures} {
    world_.track_processing = !setup_.one_in(3);
    world_.slow_topics = mood_ == Mood::slow_topics;
    world_.trace = trace;
    cures.use();
    kafka_.refusals.resize(16);
    if (setup_.one_in(4)) {
        for (int i = 0; i < 2; ++i) {
            kafka_.refusals[static_cast<std::size_t>(setup_.below(8))] =
                static_cast<std::uint8_t>(1 + setup_.below(6));
        }
    }
    for (int number = 0; number < relay_count; ++number) {
        relays_.emplace_back(number, world_);
        database_.join(number, relays_.back().identity());
    }
    database_.flush();
}

void World::say(const char* what) const {
    if (world_.trace != nullptr) {
        world_.trace->emplace_back(what);
    }
}

std::optional<std::string> World::play() {
    for (const std::uint32_t word : schedule_.words) {
        step(word);
    }
    come_to_rest();
    return verdict();
}

void World::step(std::uint32_t word) {
    world_.dice = Dice(word);
    Dice& dice = world_.dice;
    world_.time += between_steps;
    const int what = dice.below(100);
    if (what < 45) {
        do {
            relay_step(dice);
        } while (dice.one_in(2));
    } else if (what < 80) {
        do {
            network_step(dice);
        } while (!dice.one_in(3));
    } else if (what < 91) {
        writer_step(dice);
    } else {
        fault(dice);
    }
}

void World::relay_step(Dice& dice) {
    // Mostly one that has something to do: others would only look who the owners are.
    const int first = dice.below(relay_count);
    const bool others = dice.one_in(4);
    for (int i = 0; i < relay_count; ++i) {
        Relay& relay = relays_[static_cast<std::size_t>((first + i) % relay_count)];
        if (!relay.hung && (relay.serves() || (others && relay.may_take_one()) || i == relay_count - 1)) {
            return relay.step();
        }
    }
}

void World::deliver(std::size_t which) {
    Message message = network_[which];
    if (!message.reply) {
        const bool awaited = std::any_of(relays_.begin(), relays_.end(),
                                         [&](const Relay& relay) { return relay.awaits(message); });
        world_.counts.late += awaited ? 0 : 1;
        message.reply = kafka_.handle(message.request, world_.have(Cure::manifest_inside));
        network_[which] = message;
        return;
    }
    for (Relay& relay : relays_) {
        if (relay.hung) {
            continue;
        }
        if (relay.hear(message)) {
            break;
        }
    }
    network_.erase(network_.begin() + static_cast<long>(which));
}

void World::network_step(Dice& dice) {
    if (network_.empty() || dice.one_in(6)) {
        kafka_.write_marker(dice);
        return;
    }
    // Mostly the newest; what is left behind is late.
    const auto size = static_cast<int>(network_.size());
    const bool any = dice.one_in(mood_ == Mood::late_requests ? 8 : 4);
    deliver(static_cast<std::size_t>(any ? dice.below(size) : size - 1));
    if (network_.size() > most_messages) {
        network_.erase(network_.begin());
    }
}

void World::writer_step(Dice& dice) {
    const int key = dice.below(key_count);
    if (writers_.open(key)) {
        writers_.end(database_, key, !dice.one_in(5));
    } else {
        writers_.insert(database_, key, asynchronous_);
    }
}

void World::fault(Dice& dice) {
    if (mood_ == Mood::late_requests && dice.one_in(2)) {
        any(dice).time_out(!dice.one_in(8), dice);
        return;
    }
    if (mood_ == Mood::takeovers && dice.one_in(2)) {
        return relay_fault(dice);
    }
    if (mood_ == Mood::slow_topics && !dice.one_in(3)) {
        return dice.one_in(2) ? kafka_.compact_control(dice.below(shard_count), world_.batch_of_manifest)
                              : writer_step(dice);
    }
    if (special_ != Special::none && dice.one_in(4)) {
        return special_fault(dice);
    }
    switch (dice.below(8)) {
    case 0:
    case 1:
    case 2:
        return relay_fault(dice);
    case 3:
        return database_fault(dice);
    case 4:
    case 5:
        any(dice).time_out(dice.one_in(2), dice);
        return;
    case 6:
        if (!network_.empty()) { // with its connection
            network_.erase(network_.begin() + dice.below(static_cast<int>(network_.size())));
        }
        return;
    default:
        return special_fault(dice);
    }
}

void World::relay_fault(Dice& dice) {
    Relay& relay = any(dice);
    const int number = relay.identity() % relay_count;
    switch (dice.below(8)) {
    case 0:
        return relay.crash();
    case 1:
        relay.hung = !relay.hung;
        return;
    case 2:
    case 3:
        relay.hung = relay.hung || dice.one_in(2);
        return database_.let_lease_expire(number);
    case 4:
        relay.doubt();
        return database_.beat(number);
    case 5:
        return relay.turn_pause(dice.below(shard_count));
    case 6:
        return relay.ask_hand_over(dice.below(shard_count));
    default:
        return relay.ask_release(dice.below(shard_count));
    }
}

void World::database_fault(Dice& dice) {
    switch (dice.below(4)) {
    case 0:
        say("PostgreSQL crashes");
        ++world_.counts.crashes;
        database_.crash();
        return writers_.roll_back_all(database_);
    case 1:
        return database_.flush();
    default:
        return database_.disconnect(dice.below(relay_count));
    }
}

void World::special_fault(Dice& dice) {
    const int what = dice.below(4);
    if (what == 0) {
        kafka_.time_out(dice);
    } else if (what == 1) {
        kafka_.compact_control(dice.below(shard_count), world_.batch_of_manifest);
    } else if (special_ == Special::foreign) {
        what == 2 ? kafka_.begin_foreign(dice.below(shard_count)) : kafka_.end_foreign();
    } else if (special_ == Special::empty_control) {
        say("the control topic is deleted and made anew");
        kafka_.empty_control();
        special_played_ = true;
    } else if (special_ == Special::restore && (what == 2 || !database_.has_backup())) {
        say("a backup is kept");
        database_.keep_backup();
    } else if (special_ == Special::restore) {
        say("the database is restored from its backup");
        database_.restore();
        writers_.roll_back_all(database_);
        for (int number = 0; number < relay_count; ++number) {
            Relay& relay = relays_[static_cast<std::size_t>(number)];
            if (relay.sends() || dice.one_in(2)) { // it is cut off as well
                relay.hung = true;
                database_.let_lease_expire(number);
            }
        }
        if (dice.one_in(2)) {
            network_.clear();
        }
        special_played_ = true;
        restored_ = true;
    }
}

/// All faults end: everybody runs, every message arrives, every writer ends.
void World::come_to_rest() {
    say("-- all faults end");
    world_.faults = false;
    for (int key = 0; key < key_count; ++key) {
        writers_.end(database_, key, true);
    }
    database_.flush();
    kafka_.end_foreign();
    for (int number = 0; number < relay_count; ++number) {
        Relay& relay = relays_[static_cast<std::size_t>(number)];
        relay.hung = false;
        relay.end_pauses();
        relay.doubt();
        database_.beat(number);
    }
    world_.dice = Dice(schedule_.seed);
    Dice& dice = world_.dice;
    for (int round = 0; round < most_rounds && !at_rest(); ++round) {
        world_.time += between_steps;
        for (Relay& relay : relays_) {
            relay.step();
        }
        while (kafka_.write_marker(dice)) {
        }
        for (int i = 0; i < most_deliveries && !network_.empty(); ++i) {
            deliver(0);
        }
        if (round % 32 == 31) { // an answer that was lost before, a transaction that nobody ends
            for (Relay& relay : relays_) {
                relay.time_out(true, dice);
            }
            kafka_.time_out(dice);
        }
    }
}

bool World::at_rest() const {
    const auto& rows = database_.now.rows;
    const bool done = std::all_of(rows.begin(), rows.end(), [this](const Row& row) {
        return !row.unsent() || stopped(shard_of(row.key)) != nullptr;
    });
    return kafka_.quiet() && done;
}

/// The relay where it stands still; null: it does not.
const Relay* World::stopped(int shard) const {
    const auto found = std::find_if(relays_.begin(), relays_.end(),
                                    [shard](const Relay& relay) { return relay.stopped(shard); });
    return found == relays_.end() ? nullptr : &*found;
}

std::optional<std::string> World::verdict() {
    for (int shard = 0; shard < shard_count; ++shard) {
        if (const Relay* const relay = stopped(shard); relay != nullptr && !excused()) {
            return "a shard stopped, and nothing asked for it: " + relay->reason(shard);
        }
    }
    std::vector<int> seen(static_cast<std::size_t>(writers_.ids()));
    if (auto wrong = judge_visible(seen)) {
        return wrong;
    }
    return judge_rows(seen);
}

/// What a read_committed consumer sees.
std::optional<std::string> World::judge_visible(std::vector<int>& seen) const {
    std::array<int, key_count> newest{-1, -1, -1};
    for (int partition = 0; partition < data_partitions; ++partition) {
        for (const LogRecord& record : kafka_.log(partition)) {
            if (record.fate != Fate::committed || record.payload == LogRecord::marker) {
                continue;
            }
            const int id = record.payload;
            if (++seen[static_cast<std::size_t>(id)] > 1) {
                return fmt::format("event {} is visible twice", id);
            }
            auto& last = newest[static_cast<std::size_t>(writers_.key_of(id))];
            if (id < last) {
                return fmt::format("event {} is visible after event {} of its key", id, last);
            }
            last = id;
        }
    }
    return std::nullopt;
}

std::optional<std::string> World::judge_rows(const std::vector<int>& seen) const {
    std::vector<const Row*> rows(seen.size());
    for (const Row& row : database_.now.rows) {
        if (row.committed && row.status != Status::absent) {
            rows[static_cast<std::size_t>(row.id)] = &row;
        }
    }
    for (std::size_t id = 0; id < rows.size(); ++id) {
        const Status status = rows[id] == nullptr ? Status::absent : rows[id]->status;
        const bool visible = seen[id] > 0;
        if (status == Status::sent && !visible) {
            return fmt::format("event {} is SENT, and nobody can see it", id);
        }
        if (status == Status::failed && visible) {
            return fmt::format("event {} is FAILED, and visible", id);
        }
        if (status == Status::absent && visible && !restored_) {
            return fmt::format("event {} is visible, and its row was rolled back or lost", id);
        }
        if ((status == Status::fresh || status == Status::processing) &&
            stopped(shard_of(writers_.key_of(static_cast<int>(id)))) == nullptr) {
            return fmt::format("event {} is stuck", id);
        }
    }
    return std::nullopt;
}

Schedule shrink(const Schedule& schedule, const Cures& cures) {
    Schedule shortest = schedule;
    for (std::size_t piece = std::max<std::size_t>(1, schedule.words.size() / 2); piece > 0; piece /= 2) {
        for (std::size_t at = 0; at + piece <= shortest.words.size();) {
            Schedule candidate = shortest;
            const auto from = candidate.words.begin() + static_cast<long>(at);
            candidate.words.erase(from, from + static_cast<long>(piece));
            if (World(candidate, cures).play()) {
                shortest = candidate;
            } else {
                at += piece;
            }
        }
    }
    return shortest;
}

std::string tell(const Schedule& schedule, const Cures& cures) {
    Trace trace;
    const auto wrong = World(schedule, cures, &trace).play();
    std::string text;
    for (const std::string& line : trace) {
        text += "  " + line + "\n";
    }
    return text + "=> " + wrong.value_or("every event is visible once and in order") + "\n";
}

} // namespace outbox::model
