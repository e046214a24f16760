#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace outbox::model {

inline constexpr int most_rows = 12;
inline constexpr int key_count = 3;
inline constexpr int relay_count = 3;
inline constexpr int shard_count = 2;
inline constexpr int slot_count = 6; ///< as many as there may be
inline constexpr int nobody = -1;

/// A row's bucket has the number of its shard.
constexpr int shard_of(int key) {
    return key % shard_count;
}

enum class Status : std::uint8_t { absent, fresh, processing, sent, failed };
/// next_attempt_at: none, a time, or infinity (held aside behind an event of the same key that waits).
enum class Waits : std::uint8_t { no, for_retry, held };

struct Row {
    Status status = Status::absent;
    Waits waits = Waits::no;
    std::int16_t key = 0;
    std::int16_t id = -1;
    std::int16_t retries = 0;
    bool committed = false; ///< else a writer's transaction is open

    [[nodiscard]] bool unsent() const {
        return committed && (status == Status::fresh || status == Status::processing);
    }
    [[nodiscard]] bool claimable() const {
        return committed && status == Status::fresh && waits == Waits::no;
    }
};

struct ShardRow {
    std::int16_t owner = nobody;
    std::int16_t epoch = 0;
    std::int16_t marked_batch = 0;
    std::int16_t marked_offset = -1;
    std::int16_t slot = nobody; ///< under whose producers its events may be under way
    std::int16_t slot_epoch = 0;
};

struct SlotRow {
    std::int16_t relay = nobody;
    std::int16_t epoch = 0;
};

/// What a crash may set back: rows by seq, the sequence, the shards and the slots.
struct Tables {
    std::array<Row, most_rows> rows;
    std::int16_t next_seq = 0;
    std::array<ShardRow, shard_count> shards;
    std::int16_t slots_made = 0;
    std::array<SlotRow, slot_count> slots;
    std::array<bool, key_count> blocked{}; ///< keys of which an event waits

    [[nodiscard]] ShardRow& shard(int number) { return shards[static_cast<std::size_t>(number)]; }
    [[nodiscard]] const ShardRow& shard(int number) const { return shards[static_cast<std::size_t>(number)]; }
    [[nodiscard]] bool is_blocked(int key) const { return blocked[static_cast<std::size_t>(key)]; }

    /// The oldest row of a key that waits; nullptr when none does.
    [[nodiscard]] const Row* first_waiting(int key) const;
};

/// PostgreSQL as far as it matters: committed tables, what of them is on disk, sessions and the shards'
/// locks. A commit that is flushed flushes every earlier one as well, because the log is one.
class Database {
public:
    Tables now;

    void flush() { disk_ = now; }
    /// Loses what was not flushed, and every session.
    void crash();
    /// A backup holds what is on disk.
    void keep_backup() {
        flush();
        backup_ = now;
    }
    [[nodiscard]] bool has_backup() const { return backup_.has_value(); }
    void restore();

    /// An open transaction of a session holds a shard's lock in shared mode.
    void lock_shared(int relay, int shard) {
        shared_[static_cast<std::size_t>(relay)] |= static_cast<std::uint8_t>(1U << shard);
    }
    void unlock(int relay) { shared_[static_cast<std::size_t>(relay)] = 0; }
    /// Whether the lock can be had exclusively by this relay now.
    [[nodiscard]] bool free_for(int relay, int shard) const;

    [[nodiscard]] bool session(int relay) const { return sessions_[static_cast<std::size_t>(relay)]; }
    void connect(int relay) { sessions_[static_cast<std::size_t>(relay)] = true; }
    /// Its open transaction rolls back.
    void disconnect(int relay);

    /// The register of relays.
    void join(int relay, int identity);
    void let_lease_expire(int relay) { alive_[static_cast<std::size_t>(relay)] = false; }
    void beat(int relay) { alive_[static_cast<std::size_t>(relay)] = true; }
    [[nodiscard]] bool lives(int identity) const;

private:
    void end_sessions();

    Tables disk_;
    std::optional<Tables> backup_;
    std::array<bool, relay_count> sessions_{};
    std::array<std::uint8_t, relay_count> shared_{}; ///< shards, bits
    std::array<bool, relay_count> alive_{};
    std::array<std::int16_t, relay_count> identities_{};
};

/// A service's transactions: one event each, under the lock of its key.
class Writers {
public:
    /// Opens a transaction, or ends one. @return false when nothing could be done
    bool insert(Database& database, int key, bool asynchronous);
    bool end(Database& database, int key, bool commit);
    void roll_back_all(Database& database);

    [[nodiscard]] bool open(int key) const { return seqs_[static_cast<std::size_t>(key)] >= 0; }
    [[nodiscard]] int ids() const { return next_id_; }
    [[nodiscard]] int key_of(int id) const { return keys_[static_cast<std::size_t>(id)]; }

private:
    static constexpr int most_ids = 16;

    std::array<std::int16_t, key_count> seqs_{-1, -1, -1}; ///< by key, of an open transaction
    std::array<bool, key_count> asynchronous_{};
    std::array<std::int16_t, most_ids> keys_{};
    int next_id_ = 0;
};

} // namespace outbox::model
