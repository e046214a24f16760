#include "model_session.hpp"

#include "fiber.hpp"
#include "model_turn.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/event.hpp>
#include <outbox/postgres/error.hpp>

#include <algorithm>

namespace outbox::model {

void ModelDatabase::need_session() const {
    if (!life_.world.database.session(life_.relay)) {
        throw postgres::DatabaseError("", "no connection");
    }
}

bool ModelDatabase::is_owner(const store::Ownership& ownership) const {
    return tables().owner == life_.identity && tables().epoch == ownership.epoch;
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
void ModelDatabase::wait_for_lock() const {
    do {
        Fiber::wait();
        need_session();
    } while (!life_.world.database.free_for(life_.relay));
}

std::unique_ptr<store::ShardTurn> ModelDatabase::begin(const store::Ownership& ownership) {
    return std::make_unique<ModelTurn>(*this, ownership);
}

std::optional<store::Acquired> ModelDatabase::acquire(const Uuid& relay, const store::Identity&) {
    wait_for_lock();
    bool taken = false;
    commit([&](Tables& now) {
        taken = now.owner == nobody || now.owner == life_.identity || !life_.world.database.owner_lives();
        if (taken) {
            now.owner = static_cast<std::int16_t>(life_.identity);
            ++now.epoch;
        }
    });
    if (!taken) {
        return std::nullopt;
    }
    ++life_.world.counts.takes;
    life_.say("takes the shard under epoch ", tables().epoch);
    life_.unmarked = 0;
    life_.in_hand.reset();
    return store::Acquired{{0, relay, tables().epoch}, {tables().marked_batch, tables().marked_offset}};
}

void ModelDatabase::release(const store::Ownership& ownership) {
    Fiber::wait();
    commit([&](Tables& now) {
        if (is_owner(ownership)) {
            now.owner = nobody;
        }
    });
    life_.say("gives the shard back");
}

bool ModelDatabase::owns(const store::Ownership& ownership) {
    need_session();
    return is_owner(ownership);
}

store::Ownership ModelDatabase::raise_epoch(const store::Ownership& ownership) {
    wait_for_lock();
    if (!is_owner(ownership)) {
        throw store::NotOwner("it was taken over");
    }
    store::Ownership raised = ownership;
    commit([&](Tables& now) { raised.epoch = ++now.epoch; });
    return raised;
}

store::Settled ModelDatabase::settle(const store::Ownership& ownership,
                                     std::span<const store::ManifestedRow> rows,
                                     std::span<const store::GoneRows>, const store::MarkedUpTo& newest,
                                     bool) {
    wait_for_lock();
    if (!is_owner(ownership) && life_.world.have(Cure::ownership_settle)) {
        throw store::NotOwner("it was taken over during recovery");
    }
    for (const store::ManifestedRow& named : rows) {
        const Row& row = tables().rows[static_cast<std::size_t>(named.seq)];
        if (row.unsent() && life_.world.have(Cure::digest) && id_digest(numbered(row.id)) != named.digest) {
            throw Contradiction("a row is another event than its manifest names");
        }
    }
    commit([&](Tables&) { bring_in_line(rows, newest); });
    life_.say("has settled the rows up to batch ", newest.batch);
    return {};
}

void ModelDatabase::bring_in_line(std::span<const store::ManifestedRow> rows,
                                  const store::MarkedUpTo& newest) {
    const Surroundings& world = life_.world;
    Tables& now = tables();
    for (const store::ManifestedRow& named : rows) {
        now.next_seq = std::max(now.next_seq, static_cast<std::int16_t>(named.seq + 1));
        Row& row = now.rows[static_cast<std::size_t>(named.seq)];
        if (row.unsent()) {
            row.status = Status::sent;
            row.waits = Waits::no;
        }
    }
    for (int key = 0; key < key_count; ++key) {
        bool& blocked = now.blocked[static_cast<std::size_t>(key)];
        blocked = world.have(Cure::blocked_keys) && (blocked || now.first_waiting(key) != nullptr);
    }
    const bool sent = !world.have(Cure::row_set) && newest.batch > now.marked_batch;
    for (Row& row : now.rows) {
        if (row.committed && row.status == Status::processing && world.have(Cure::reset)) {
            row.status = sent ? Status::sent : Status::fresh;
            row.waits = now.blocked[static_cast<std::size_t>(row.key)] ? Waits::held : row.waits;
        }
    }
    now.marked_batch = static_cast<std::int16_t>(newest.batch);
    now.marked_offset = static_cast<std::int16_t>(newest.offset);
}

void ModelDatabase::note_stopped(const store::Ownership&, const std::string& reason) {
    life_.say("stops: ", reason);
    reason_ = reason;
}

std::optional<std::string> ModelDatabase::stopped(const store::Ownership& ownership) {
    if (!owns(ownership)) {
        throw store::NotOwner("it was taken over");
    }
    return reason_;
}

store::Peek ModelDatabase::peek(std::span<const std::string>) {
    need_session();
    store::Peek seen;
    for (const Row& row : tables().rows) {
        seen.work = seen.work || (row.claimable() && !tables().blocked[static_cast<std::size_t>(row.key)]);
        if (row.unsent() && row.waits == Waits::for_retry) {
            seen.next_attempt = milliseconds(0);
        }
    }
    seen.blocked =
        std::find(tables().blocked.begin(), tables().blocked.end(), true) != tables().blocked.end();
    return seen;
}

std::vector<int> ModelDatabase::waiting_buckets() {
    need_session();
    const auto& blocked = tables().blocked;
    const bool waits = std::any_of(tables().rows.begin(), tables().rows.end(),
                                   [](const Row& row) { return row.unsent() && row.waits != Waits::no; });
    const bool some = waits || std::find(blocked.begin(), blocked.end(), true) != blocked.end();
    return some ? std::vector<int>{0} : std::vector<int>{};
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
    for (const store::Row& row : claimed.rows) {
        database_.life().in_hand.set(static_cast<std::size_t>(row.seq));
    }
    for (const store::Row& row : put_back_) {
        database_.life().in_hand.reset(static_cast<std::size_t>(row.seq));
    }
    for (const Marked& each : marked_) {
        database_.life().say("marks batch ", each.upto.batch);
        database_.life().unmarked = 0;
        for (const store::SentRow& row : each.rows) {
            database_.life().in_hand.reset(static_cast<std::size_t>(row.seq));
        }
    }
}

} // namespace outbox::model
