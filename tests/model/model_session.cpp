#include "model_session.hpp"

#include "fiber.hpp"
#include "model_turn.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/event.hpp>
#include <outbox/postgres/error.hpp>

#include <algorithm>
#include <numeric>

namespace outbox::model {

void ModelDatabase::need_session() const {
    if (!life_.world.database.session(life_.relay)) {
        throw postgres::DatabaseError("", "no connection");
    }
}

bool ModelDatabase::is_owner(const store::Ownership& ownership) const {
    const ShardRow& shard = tables().shard(ownership.shard);
    return shard.owner == life_.identity && shard.epoch == ownership.epoch;
}

ModelDatabase::Fault ModelDatabase::fault() const {
    Surroundings& world = life_.world;
    if (!world.faults || !world.dice.one_in(20)) {
        return Fault::none;
    }
    return world.dice.one_in(2) ? Fault::before : Fault::after;
}

template <class Write>
void ModelDatabase::commit(Write write, bool durable) {
    need_session();
    const Fault broken = fault();
    if (broken != Fault::before) {
        write(tables());
        if (durable) {
            life_.world.database.flush();
        }
    }
    if (broken != Fault::none) {
        life_.world.database.disconnect(life_.relay);
        throw CommitInDoubt("connection lost in COMMIT");
    }
}

/// Exclusively; nobody waits in the middle of what it guards.
void ModelDatabase::wait_for_lock(int shard) const {
    do {
        Fiber::wait();
        need_session();
    } while (!life_.world.database.free_for(life_.relay, shard));
}

void ModelDatabase::serve(const std::set<int>& shards) {
    life_.served = 0;
    for (const int shard : shards) {
        life_.served |= static_cast<std::uint8_t>(1U << shard);
    }
}

std::unique_ptr<store::ShardTurn> ModelDatabase::begin(const store::Ownerships& ownerships) {
    return std::make_unique<ModelTurn>(*this, ownerships);
}

std::optional<store::Acquired> ModelDatabase::acquire(int shard, const Uuid& relay, const store::Identity&) {
    wait_for_lock(shard);
    bool taken = false;
    ShardRow row;
    commit([&](Tables& now) {
        ShardRow& mine = now.shard(shard);
        taken =
            mine.owner == nobody || mine.owner == life_.identity || !life_.world.database.lives(mine.owner);
        if (taken) {
            mine.owner = static_cast<std::int16_t>(life_.identity);
            ++mine.epoch;
        }
        row = mine;
    });
    if (!taken) {
        return std::nullopt;
    }
    ++life_.world.counts.takes;
    life_.say("takes shard ", shard, " under epoch ", row.epoch, ", sent under slot ", row.slot, " epoch ",
              row.slot_epoch);
    store::SentUnder before;
    if (row.slot != nobody) {
        before = {store::SentUnder::Kind::slot, {row.slot, row.slot_epoch}};
    }
    return store::Acquired{{shard, relay, row.epoch}, {row.marked_batch, row.marked_offset}, before};
}

void ModelDatabase::release(const store::Ownership& ownership) {
    Fiber::wait();
    commit([&](Tables& now) {
        if (is_owner(ownership)) {
            ShardRow& shard = now.shard(ownership.shard);
            shard.owner = nobody;
            shard.slot = nobody;
            shard.slot_epoch = 0;
        }
    });
    life_.say("gives shard ", ownership.shard, " back");
}

void ModelDatabase::hand_over(const store::Ownership& ownership) {
    Fiber::wait();
    commit([&](Tables& now) {
        if (is_owner(ownership)) {
            ShardRow& shard = now.shard(ownership.shard);
            shard.slot = nobody;
            shard.slot_epoch = 0;
        }
    });
    life_.say("hands shard ", ownership.shard, " over");
}

void ModelDatabase::disown(const store::Ownership& ownership) {
    Fiber::wait();
    commit([&](Tables& now) {
        if (is_owner(ownership)) {
            now.shard(ownership.shard).owner = nobody;
        }
    });
    life_.say("leaves shard ", ownership.shard, " to others");
}

/// The one that it has had, else one that nobody has, else a new one.
int ModelDatabase::free_slot(int had) const {
    const Tables& now = tables();
    const auto relay_of = [&](int slot) { return now.slots[static_cast<std::size_t>(slot)].relay; };
    if (had >= 0 && had < now.slots_made && (relay_of(had) == nobody || relay_of(had) == life_.identity)) {
        return had;
    }
    for (int slot = 0; slot < now.slots_made; ++slot) {
        if (relay_of(slot) == nobody || !life_.world.database.lives(relay_of(slot))) {
            return slot;
        }
    }
    return now.slots_made;
}

store::Slot ModelDatabase::lease_slot(const Uuid&, int had) {
    Fiber::wait();
    need_session();
    const int number = free_slot(had);
    if (number == slot_count) {
        throw postgres::DatabaseError("", "no slot is left");
    }
    store::Slot slot;
    commit([&](Tables& now) {
        SlotRow& row = now.slots[static_cast<std::size_t>(number)];
        if (number == now.slots_made) {
            ++now.slots_made;
            row.epoch = static_cast<std::int16_t>(life_.world.clients); // above all before, as time is
        }
        row.relay = static_cast<std::int16_t>(life_.identity);
        slot = {number, row.epoch};
    });
    ++life_.world.counts.recoveries;
    life_.say("leases slot ", slot.number, " of epoch ", slot.epoch);
    return slot;
}

void ModelDatabase::give_back_slot(int number, const Uuid&) {
    need_session();
    commit([&](Tables& now) {
        auto& relay = now.slots[static_cast<std::size_t>(number)].relay;
        relay = relay == life_.identity ? std::int16_t{nobody} : relay;
    });
}

std::int64_t ModelDatabase::slot_epoch(int number) {
    need_session();
    return tables().slots[static_cast<std::size_t>(number)].epoch;
}

std::optional<store::Slot> ModelDatabase::raise_slot(const store::Slot& slot) {
    Fiber::wait();
    bool raised = false;
    commit([&](Tables& now) {
        auto& epoch = now.slots[static_cast<std::size_t>(slot.number)].epoch;
        raised = epoch == slot.epoch;
        epoch = static_cast<std::int16_t>(epoch + (raised ? 1 : 0));
    });
    if (!raised) {
        return std::nullopt;
    }
    life_.say("raises slot ", slot.number, " to epoch ", slot.epoch + 1);
    return store::Slot{slot.number, slot.epoch + 1};
}

std::vector<int> ModelDatabase::slots() {
    need_session();
    std::vector<int> numbers(static_cast<std::size_t>(tables().slots_made));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

bool ModelDatabase::owns(const store::Ownership& ownership) {
    need_session();
    return is_owner(ownership);
}

store::Ownership ModelDatabase::raise_epoch(const store::Ownership& ownership) {
    wait_for_lock(ownership.shard);
    if (!is_owner(ownership)) {
        throw store::NotOwner("it was taken over");
    }
    store::Ownership raised = ownership;
    commit([&](Tables& now) { raised.epoch = ++now.shard(ownership.shard).epoch; });
    return raised;
}

store::Settled ModelDatabase::settle(const store::Ownership& ownership, const store::Slot& slot,
                                     std::span<const store::ManifestedRow> rows,
                                     std::span<const store::GoneRows>, const store::MarkedUpTo& newest,
                                     bool) {
    wait_for_lock(ownership.shard);
    if (!is_owner(ownership) && life_.world.have(Cure::ownership_settle)) {
        throw store::NotOwner("it was taken over during recovery");
    }
    for (const store::ManifestedRow& named : rows) {
        const Row& row = tables().rows[static_cast<std::size_t>(named.seq)];
        if (row.unsent() && life_.world.have(Cure::digest) && id_digest(numbered(row.id)) != named.digest) {
            throw Contradiction("a row is another event than its manifest names");
        }
    }
    commit([&](Tables&) { bring_in_line(ownership.shard, slot, rows, newest); });
    life_.say("has settled the rows of shard ", ownership.shard, " up to batch ", newest.batch);
    return {};
}

void ModelDatabase::bring_in_line(int shard, const store::Slot& slot,
                                  std::span<const store::ManifestedRow> rows,
                                  const store::MarkedUpTo& newest) {
    const Surroundings& world = life_.world;
    Tables& now = tables();
    ShardRow& mine = now.shard(shard);
    for (const store::ManifestedRow& named : rows) {
        now.next_seq = std::max(now.next_seq, static_cast<std::int16_t>(named.seq + 1));
        Row& row = now.rows[static_cast<std::size_t>(named.seq)];
        if (row.unsent()) {
            row.status = Status::sent;
            row.waits = Waits::no;
        }
    }
    for (int key = shard; key < key_count; key += shard_count) {
        bool& blocked = now.blocked[static_cast<std::size_t>(key)];
        blocked = world.have(Cure::blocked_keys) && (blocked || now.first_waiting(key) != nullptr);
    }
    const bool sent = !world.have(Cure::row_set) && newest.batch > mine.marked_batch;
    for (Row& row : now.rows) {
        if (row.committed && row.status == Status::processing && shard_of(row.key) == shard &&
            world.have(Cure::reset)) {
            row.status = sent ? Status::sent : Status::fresh;
            row.waits = now.is_blocked(row.key) ? Waits::held : row.waits;
        }
    }
    mine.marked_batch = static_cast<std::int16_t>(newest.batch);
    mine.marked_offset = static_cast<std::int16_t>(newest.offset);
    if (world.have(Cure::slot_recorded)) {
        mine.slot = static_cast<std::int16_t>(slot.number);
        mine.slot_epoch = static_cast<std::int16_t>(slot.epoch);
    }
}

void ModelDatabase::note_stopped(const store::Ownership& ownership, const std::string& reason) {
    life_.say("stops shard ", ownership.shard, ": ", reason);
    reasons_[static_cast<std::size_t>(ownership.shard)] = reason;
}

std::optional<std::string> ModelDatabase::stopped(const store::Ownership& ownership) {
    if (!owns(ownership)) {
        throw store::NotOwner("it was taken over");
    }
    return reason(ownership.shard);
}

store::Peek ModelDatabase::peek(std::span<const std::string>) {
    need_session();
    const Tables& now = tables();
    store::Peek seen;
    for (const Row& row : now.rows) {
        if (!row.unsent() || !life_.serves(row.key)) {
            continue;
        }
        seen.work = seen.work || (row.claimable() && !now.is_blocked(row.key));
        if (row.waits == Waits::for_retry) {
            seen.next_attempt = milliseconds(0);
        }
    }
    for (int key = 0; key < key_count; ++key) {
        seen.blocked = seen.blocked || (life_.serves(key) && now.is_blocked(key));
    }
    return seen;
}

std::vector<int> ModelDatabase::waiting_buckets() {
    need_session();
    const Tables& now = tables();
    std::array<bool, shard_count> waits{};
    for (const Row& row : now.rows) {
        auto& some = waits[static_cast<std::size_t>(shard_of(row.key))];
        some = some || (row.unsent() && row.waits != Waits::no);
    }
    for (int key = 0; key < key_count; ++key) {
        auto& some = waits[static_cast<std::size_t>(shard_of(key))];
        some = some || now.is_blocked(key);
    }
    std::vector<int> buckets;
    for (int bucket = 0; bucket < shard_count; ++bucket) {
        if (waits[static_cast<std::size_t>(bucket)] && life_.serves(bucket)) {
            buckets.push_back(bucket);
        }
    }
    return buckets;
}

// A transaction is no other than this file's, but for what it writes.

ModelTurn::~ModelTurn() {
    if (guarded_) {
        database_.life().world.database.unlock(database_.life().relay);
    }
}

void ModelTurn::commit() {
    store::RowSet nothing;
    commit(nothing);
}

void ModelTurn::commit(store::RowSet& claimed) {
    guard();
    Fiber::wait();
    database_.commit(
        [&](Tables& now) {
            write_marks(now);
            write_refusals(now);
            write_keys(now);
            write_claim(now, claimed);
        },
        database_.life().world.have(Cure::flush_first));
    for (const Marked& each : marked_) {
        for (const store::ShardMark& mark : each.upto) {
            database_.life().say("marks batch ", mark.upto.batch, " of shard ", mark.shard);
        }
    }
}

} // namespace outbox::model
