#include "model_turn.hpp"

#include "fiber.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace outbox::model {
namespace {

constexpr std::array<std::string_view, key_count> keys{"0", "1", "2"};
constexpr std::array<std::string_view, 16> ids{"0", "1", "2",  "3",  "4",  "5",  "6",  "7",
                                               "8", "9", "10", "11", "12", "13", "14", "15"};

bool holds(std::span<const std::int64_t> seqs, int seq) {
    return std::find(seqs.begin(), seqs.end(), seq) != seqs.end();
}

} // namespace

/// The shards' locks, then the look at who owns them.
void ModelTurn::guard() {
    if (guarded_) {
        database_.need_session();
        return;
    }
    database_.need_session();
    Surroundings& world = database_.life().world;
    if (world.have(Cure::shard_lock)) {
        guarded_ = true;
        for (const store::Ownership& each : ownerships_) {
            world.database.lock_shared(database_.life().relay, each.shard);
        }
    }
    if (!world.have(Cure::ownership_turn)) {
        return;
    }
    for (const store::Ownership& each : ownerships_) {
        if (!database_.is_owner(each)) {
            throw store::NotOwner("some of its shards are another relay's by now");
        }
        if (!world.have(Cure::guard_every_shard)) {
            break;
        }
    }
}

void ModelTurn::mark(std::vector<store::SentRow> rows, std::span<const store::ShardMark> marks) {
    marked_.push_back({std::move(rows), {marks.begin(), marks.end()}});
}

store::RowSet ModelTurn::rows_of(const std::vector<std::int16_t>& seqs) const {
    store::RowSet set;
    set.rows.reserve(seqs.size());
    for (const std::int16_t seq : seqs) {
        const Row& from = database_.tables().rows[static_cast<std::size_t>(seq)];
        store::Row& row = set.rows.emplace_back();
        row.seq = seq;
        row.bucket = static_cast<std::int16_t>(shard_of(from.key));
        row.id = numbered(from.id);
        row.retry_count = from.retries;
        row.topic = "events";
        row.key = keys[static_cast<std::size_t>(from.key)];
        row.data = ids[static_cast<std::size_t>(from.id)];
    }
    return set;
}

/// One statement of a claim; what follows reads on from where it ended.
void ModelTurn::read(std::size_t most, std::size_t in_all, std::span<const std::int64_t> in_flight,
                     std::vector<std::int16_t>& seqs) {
    const Tables& now = database_.tables();
    for (int seq = floor_ + 1; seq < now.next_seq && most > 0 && seqs.size() < in_all; ++seq) {
        const Row& row = now.rows[static_cast<std::size_t>(seq)];
        floor_ = seq;
        if (row.claimable() && database_.life().serves(row.key) && !now.is_blocked(row.key) &&
            !holds(in_flight, seq)) {
            seqs.push_back(static_cast<std::int16_t>(seq));
            --most;
        }
    }
}

store::RowSet ModelTurn::claim(const store::ClaimLimits& limits, std::span<const std::int64_t> in_flight,
                               std::span<const std::string>) {
    guard();
    floor_ = -1;
    std::vector<std::int16_t> seqs;
    read(limits.rows_a_statement, limits.rows, in_flight, seqs);
    if (!database_.life().world.have(Cure::one_snapshot)) {
        Fiber::wait();
        database_.need_session();
    }
    read(limits.rows_a_statement, limits.rows, in_flight, seqs);
    return rows_of(seqs);
}

store::RowSet ModelTurn::claim_due(std::span<const std::string>) {
    guard();
    from_waiting_ = true;
    const Tables& now = database_.tables();
    for (int seq = 0; seq < now.next_seq; ++seq) {
        const Row& row = now.rows[static_cast<std::size_t>(seq)];
        if (row.unsent() && database_.life().serves(row.key) && row.status == Status::fresh &&
            row.waits == Waits::for_retry) {
            return rows_of({static_cast<std::int16_t>(seq)});
        }
    }
    from_waiting_ = false;
    return {};
}

store::RowSet ModelTurn::claim_held(const store::BlockedKey& key, const store::ClaimLimits& limits,
                                    std::span<const std::string>) {
    guard();
    const auto number = static_cast<int>(std::find(keys.begin(), keys.end(), key.key) - keys.begin());
    const Tables& now = database_.tables();
    const Row* const first = now.first_waiting(number);
    if (first == nullptr) {
        free_[static_cast<std::size_t>(number)] = true;
    }
    std::vector<std::int16_t> seqs;
    for (int seq = 0; first != nullptr && first->waits == Waits::held && seq < now.next_seq; ++seq) {
        const Row& row = now.rows[static_cast<std::size_t>(seq)];
        if (row.unsent() && row.key == number && row.waits == Waits::for_retry) {
            break;
        }
        if (row.unsent() && row.key == number && row.waits == Waits::held && row.status == Status::fresh &&
            seqs.size() < limits.rows) {
            seqs.push_back(static_cast<std::int16_t>(seq));
        }
    }
    from_waiting_ = !seqs.empty();
    return rows_of(seqs);
}

std::size_t ModelTurn::hold_followers(int bucket, std::span<const std::int64_t> in_flight) {
    guard();
    const Tables& now = database_.tables();
    for (int seq = 0; seq < now.next_seq; ++seq) {
        const Row& row = now.rows[static_cast<std::size_t>(seq)];
        if (row.claimable() && shard_of(row.key) == bucket && now.is_blocked(row.key) &&
            !holds(in_flight, seq)) {
            held_.push_back(static_cast<std::int16_t>(seq));
        }
    }
    return held_.size();
}

std::vector<store::BlockedKey> ModelTurn::sort_blocked(int bucket) {
    guard();
    const Tables& now = database_.tables();
    std::vector<store::BlockedKey> free;
    for (int key = 0; key < key_count; ++key) {
        const auto place = static_cast<std::size_t>(key);
        if (!now.blocked[place] || shard_of(key) != bucket) {
            continue;
        }
        const Row* const first = now.first_waiting(key);
        const bool held = std::any_of(held_.begin(), held_.end(), [&](int seq) {
            return now.rows[static_cast<std::size_t>(seq)].key == key;
        });
        if (first == nullptr && !held) {
            free_[place] = true;
        } else if (first == nullptr || first->waits == Waits::held) {
            free.push_back({bucket, std::string(keys[place])});
        }
    }
    return free;
}

void ModelTurn::write_marks(Tables& tables) const {
    for (const Marked& each : marked_) {
        for (const store::SentRow& sent : each.rows) {
            Row& row = tables.rows[static_cast<std::size_t>(sent.seq)];
            if (row.unsent()) {
                row.status = Status::sent;
                row.waits = Waits::no;
            }
        }
        for (const store::ShardMark& mark : each.upto) {
            ShardRow& shard = tables.shard(mark.shard);
            shard.marked_batch = static_cast<std::int16_t>(mark.upto.batch);
            shard.marked_offset = static_cast<std::int16_t>(mark.upto.offset);
        }
    }
}

/// Rows that were refused wait for a retry or are given up; later ones of their keys go back.
void ModelTurn::write_refusals(Tables& tables) const {
    for (const store::FailedAttempt& attempt : failed_) {
        Row& row = tables.rows[static_cast<std::size_t>(attempt.seq)];
        row.status = attempt.give_up ? Status::failed : Status::fresh;
        row.waits = attempt.give_up ? Waits::no : Waits::for_retry;
        row.retries = static_cast<std::int16_t>(attempt.retry_count);
        bool& blocked = tables.blocked[static_cast<std::size_t>(row.key)];
        blocked = blocked || !attempt.give_up;
        database_.life().say("event ", int{row.id},
                             attempt.give_up ? " is given up" : " waits for its retry");
    }
    for (const store::Row& postponed : postponed_) {
        Row& row = tables.rows[static_cast<std::size_t>(postponed.seq)];
        row.status = Status::fresh;
        row.waits = Waits::for_retry;
        tables.blocked[static_cast<std::size_t>(row.key)] = true;
    }
    for (const store::Row& back : put_back_) {
        Row& row = tables.rows[static_cast<std::size_t>(back.seq)];
        row.status = Status::fresh;
        row.waits = tables.is_blocked(row.key) ? Waits::held : Waits::no;
    }
}

void ModelTurn::write_keys(Tables& tables) const {
    for (const std::int16_t seq : held_) {
        Row& row = tables.rows[static_cast<std::size_t>(seq)];
        if (row.claimable() && tables.is_blocked(row.key)) {
            row.waits = Waits::held;
        }
    }
    for (int key = 0; key < key_count; ++key) {
        bool& blocked = tables.blocked[static_cast<std::size_t>(key)];
        blocked = blocked && !(free_[static_cast<std::size_t>(key)] && tables.first_waiting(key) == nullptr);
    }
}

/// What somebody has changed since it was read leaves the claim.
void ModelTurn::write_claim(Tables& tables, store::RowSet& claimed) const {
    if (!database_.life().world.track_processing && !from_waiting_) {
        return;
    }
    std::erase_if(claimed.rows, [&](const store::Row& named) {
        Row& row = tables.rows[static_cast<std::size_t>(named.seq)];
        if (!row.committed || row.status != Status::fresh) {
            return true;
        }
        row.status = Status::processing;
        row.waits = Waits::no;
        return false;
    });
}

} // namespace outbox::model
