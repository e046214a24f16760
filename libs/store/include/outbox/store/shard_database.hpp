#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/core/error.hpp>
#include <outbox/core/uuid.hpp>
#include <outbox/store/row.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::store {

/// Under which a relay writes about a shard.
struct Ownership {
    int shard = 0;
    Uuid relay;
    std::int64_t epoch = 0;
};

/// What a relay writes about in one transaction: shards of one relay, by number.
using Ownerships = std::vector<Ownership>;

/// How far the shard's rows are durably marked.
struct MarkedUpTo {
    std::int64_t batch = 0;
    std::int64_t offset = -1; ///< of that batch's manifest in the control partition
};

/// The same, of one of several shards.
struct ShardMark {
    int shard = 0;
    MarkedUpTo upto;
};

/// A slot is a pair of transactional ids. A pipeline leases one, and publishes under it for all its shards.
struct Slot {
    int number = 0;
    std::int64_t epoch = 0; ///< raised whenever both producers were initialised: earlier ones are fenced then

    bool operator==(const Slot&) const = default;
};

/// Under whose producers events of a shard may be under way. Whoever takes the shard fences those first.
struct SentUnder {
    enum class Kind {
        nobody, ///< it was given back with everything marked, or nothing was ever sent
        slot,   ///< those of the slot, unless its epoch has been raised since
        shard,  ///< those that the shard had for itself, before there were slots
        unknown ///< its row was deleted and made anew
    };
    Kind kind = Kind::nobody;
    Slot slot;

    bool operator==(const SentUnder&) const = default;
};

struct Acquired {
    Ownership ownership;
    MarkedUpTo marked;
    SentUnder before; ///< stands until settle()
};

/// The shard belongs to another relay, or to this one under a newer epoch: stop writing about it.
class NotOwner final : public Error {
public:
    explicit NotOwner(const std::string& message) : Error(Action::stop, message) {}
};

struct Identity;

/// A row whose transaction was committed in Kafka.
struct SentRow {
    Tid tid;
    std::int64_t seq = 0;
    std::int16_t bucket = 0;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    Uuid id;
    std::int64_t table_file = 0; ///< that `tid` is of
};

/// A row that could not be sent, for a reason that lies with it or its topic.
struct FailedAttempt {
    std::int64_t seq = 0;
    std::int16_t bucket = 0;
    Uuid id;
    std::int32_t retry_count = 0; ///< this attempt included
    bool give_up = false;         ///< -> FAILED
    bool outage = false;          ///< given up with its topic: not by its own fault
    bool block_key = false;       ///< given up: later events of the key wait for an operator
    milliseconds wait{0};         ///< before the next attempt
    std::string error;
};

/// A row that shall not be sent.
struct SkippedRow {
    std::int16_t bucket = 0;
    std::int64_t seq = 0;
    std::string reason;
};

/// What the manifests of one shard say about a row.
struct ManifestedRow {
    std::int16_t bucket = 0;
    std::int64_t seq = 0;
    std::uint32_t digest = 0;        ///< id_digest of the row's id
    std::string_view state = "SENT"; ///< what the row becomes
};

/// Rows that manifests name, and whose records are not there all the same.
struct GoneRows {
    std::vector<ManifestedRow> rows; ///< become FAILED; no attempt is spent
    std::string why;                 ///< and what to type
};

struct Settled {
    std::int64_t sent =
        0; ///< rows that the manifests name and that were not marked yet, whatever they became
    std::int64_t reset = 0; ///< PROCESSING rows that no manifest names: NEW again
    bool emptied =
        false; ///< the table was emptied: other events have the manifests' numbers, and stay as they are
    bool seq_moved = false; ///< the identity stood below a manifest's seq and was moved past it
};

/// What an unguarded look found.
struct Peek {
    bool work = false;                        ///< claimable rows
    std::optional<milliseconds> next_attempt; ///< until the earliest waiting row is due; 0: now
    bool blocked = false;                     ///< some keys are blocked
};

/// A key of which an event waits.
struct BlockedKey {
    int bucket = 0;
    std::string key; ///< its bytes, in hex
};

/// A marker that a broker did not write: the transaction is decided, and its partition still waits for it.
struct LostMarker {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t producer_id = 0;
    std::int64_t start_offset = -1; ///< -1: the partition had no leader to ask
    bool committed = false;
};

/// Rows that one statement holds aside at most.
inline constexpr std::size_t hold_limit = 2'500;

struct ClaimLimits {
    std::size_t rows = 5000; ///< of all statements together
    std::size_t rows_a_statement = 100;
    std::size_t bytes = 512 << 10; ///< about; at least one statement is taken
    bool track_processing = true;
    std::optional<milliseconds> lock_wait =
        {}; ///< for rows that others have locked; nullopt: as for any lock
};

/// One guarded transaction about some shards: their locks in shared mode, in order, then the ownership check,
/// then writes. Leaving without commit() changes nothing. What it throws besides DatabaseError is NotOwner,
/// from commit() or from a claim, when one of them is owned no more.
class ShardTurn {
public:
    ShardTurn() = default;
    ShardTurn(const ShardTurn&) = delete;
    ShardTurn& operator=(const ShardTurn&) = delete;
    virtual ~ShardTurn() = default;

    /// Rows -> SENT, and the shards' durable marks move on; gone() counts those that were not there any more.
    virtual void mark(std::vector<SentRow> rows, std::span<const ShardMark> marks) = 0;
    /// After commit(): sent rows that are not unsent rows any more, by somebody's change; else 0.
    [[nodiscard]] virtual std::size_t gone() const = 0;

    /// Claims NEW rows of all buckets that are served from one snapshot, oldest first per bucket; keys that
    /// wait are left out.
    /// @param in_flight  seqs to leave out, needed where rows in flight are not PROCESSING
    virtual RowSet claim(const ClaimLimits& limits, std::span<const std::int64_t> in_flight,
                         std::span<const std::string> parked_topics) = 0;

    /// Claims the one waiting row that has been due longest; empty when none is.
    virtual RowSet claim_due(std::span<const std::string> parked_topics) = 0;

    /// Claims held rows of a key, oldest first, unless the key's oldest row waits for a retry; unblocks a key
    /// of which nothing waits any more.
    virtual RowSet claim_held(const BlockedKey& key, const ClaimLimits& limits,
                              std::span<const std::string> parked_topics) = 0;

    virtual void fail(std::span<const FailedAttempt> attempts) = 0;
    /// Claimed rows -> SKIPPED, with the reason as their error message.
    virtual void skip(std::span<const SkippedRow> rows) = 0;
    /// PROCESSING -> NEW for rows that were claimed and will not be sent now.
    virtual void put_back(std::span<const Row> rows) = 0;
    /// Claimed rows wait, due at once: claim_due() takes them one by one.
    virtual void postpone(std::span<const Row> rows) = 0;

    /// Ready rows of a bucket's blocked keys are held aside. @return how many, at most `hold_limit`
    virtual std::size_t hold_followers(int bucket, std::span<const std::int64_t> in_flight) = 0;
    /// Rows that somebody has set PROCESSING, or has held aside, by hand: nobody sends them, so they go back
    /// to where claims find them. @return how many rows and keys
    virtual std::size_t free_strays(std::span<const std::int64_t> in_flight) = 0;
    /// Unblocks keys of which no row waits. @return keys whose held rows need wait no more
    virtual std::vector<BlockedKey> sort_blocked(int bucket) = 0;

    /// Writes down that the shard is paused and has nothing in flight, or that it claims again.
    virtual void note_quiet(int shard, bool quiet) = 0;

    /// Commits synchronously. After a claim the log up to its snapshot is on disk: every claimed row is
    /// durable.
    virtual void commit() = 0;
    /// The same, and the claimed rows learn where they stand now; those that somebody has changed since the
    /// claim leave it, with the later ones of their keys. @throws Error when updates of rows have no effect
    virtual void commit(RowSet& claimed) = 0;
};

/// What a relay asks of the database about its shards. Relays work through it, so that a model or a test can
/// stand in for PostgreSQL. Not thread-safe.
class ShardDatabase {
public:
    ShardDatabase() = default;
    ShardDatabase(const ShardDatabase&) = delete;
    ShardDatabase& operator=(const ShardDatabase&) = delete;
    virtual ~ShardDatabase() = default;

    /// Claims, looks and waiting keys are those of these shards' buckets from now on; of a new session of
    /// none.
    virtual void serve(const std::set<int>& shards) = 0;

    /// Begins a guarded transaction about these shards.
    virtual std::unique_ptr<ShardTurn> begin(const Ownerships& ownerships) = 0;

    /// Takes the shard under a new epoch when it is free, this relay's already, or its owner is dead.
    /// @param identity  that this store's buckets and the relay's transactional ids follow from
    /// @return nullopt when a living relay owns it, or the outbox's id or number of shards is another by now.
    virtual std::optional<Acquired> acquire(int shard, const Uuid& relay, const Identity& identity) = 0;

    /// Gives the shard back: the next relay need not wait for a lease, nor fence anybody. No effect when not
    /// the owner. @pre nothing of it is under way
    virtual void release(const Ownership& ownership) = 0;
    /// Gives the shard to another pipeline of the same relay: nothing of it is under way.
    virtual void hand_over(const Ownership& ownership) = 0;
    /// Leaves the shard to whoever takes it next, who has to fence what may be under way of it.
    virtual void disown(const Ownership& ownership) = 0;

    /// Leases a slot: again the one that this relay has had, while nobody else has leased it, else a free
    /// one. Those of relays that are dead are free. @param had  -1: none
    virtual Slot lease_slot(const Uuid& relay, int had) = 0;
    /// It is free from now on. No effect when another relay has it.
    virtual void give_back_slot(int number, const Uuid& relay) = 0;
    /// The epoch that the slot has now; 0 where there is no such slot.
    virtual std::int64_t slot_epoch(int number) = 0;
    /// Both producers of the slot were initialised after its epoch was read: raises it.
    /// @return the slot as it is then; nullopt when somebody else has raised it meanwhile
    virtual std::optional<Slot> raise_slot(const Slot& slot) = 0;
    /// The numbers of all slots.
    virtual std::vector<int> slots() = 0;

    /// Claims and looks pass over these buckets from now on; of a new session over none.
    virtual void leave_out(std::set<int> buckets) = 0;

    /// Whether this relay still owns the shard under this epoch.
    virtual bool owns(const Ownership& ownership) = 0;

    /// Brings rows in line with the manifests after the last durable mark, then resets other PROCESSING rows.
    /// Verifies ownership under the exclusive lock, also when there is nothing to settle.
    /// @param slot  under which the shard's events are sent from now on
    /// @param block_failed_keys  rows that become FAILED block their keys
    /// After a TRUNCATE other events may have the manifests' numbers: they are left alone where none of the
    /// manifests' own is there any more.
    /// @throws NotOwner; Contradiction when only some rows are other events than the manifests name.
    virtual Settled settle(const Ownership& ownership, const Slot& slot, std::span<const ManifestedRow> rows,
                           std::span<const GoneRows> gone, const MarkedUpTo& newest,
                           bool block_failed_keys) = 0;

    /// Ids of those of these rows that are not settled yet, by seq.
    virtual std::map<std::int64_t, Uuid> ids_of(int shard, std::span<const ManifestedRow> rows) = 0;

    /// Raises the epoch in place, when the newest manifest already carries this one. @throws NotOwner
    virtual Ownership raise_epoch(const Ownership& ownership) = 0;

    /// Writes down why the shard stands still, or that it does not any more (empty).
    virtual void note_stopped(const Ownership& ownership, const std::string& reason) = 0;
    /// What is written there; nullopt: nothing, or an operator has taken it away. @throws NotOwner
    virtual std::optional<std::string> stopped(const Ownership& ownership) = 0;

    /// Looks without a lock; what it says is a hint. Rows of `parked_topics` do not count.
    virtual Peek peek(std::span<const std::string> parked_topics) = 0;

    /// Looks, now and then, how far the rows of these topics reach from the head of each bucket: claims and
    /// looks that leave the same topics out begin behind them.
    virtual void skip_parked(std::span<const std::string> parked_topics) = 0;
    /// Rows may have become ready that were not: claims begin at the head again.
    virtual void forget_skipped() = 0;

    /// Buckets in which rows wait or keys are blocked.
    virtual std::vector<int> waiting_buckets() = 0;

    /// Whether Turn::free_strays() would find some; without a lock.
    virtual bool has_strays(std::span<const std::int64_t> in_flight) = 0;

    /// Topics that events of this outbox were ever sent to.
    virtual std::vector<std::string> topics() = 0;
    /// Remembers a topic, durably, before the first event goes there.
    virtual void note_topic(const std::string& topic) = 0;

    ///@{
    /// Markers that brokers lost of transactions under these transactional ids, durably; what was noted first
    /// about a partition and producer stands. @param ids  what the ids of a slot or shard have in common
    virtual std::vector<LostMarker> lost_markers(const std::string& ids) = 0;
    virtual void note_lost(const std::string& ids, std::span<const LostMarker> markers) = 0;
    virtual void forget_lost(const std::string& ids, std::span<const LostMarker> markers) = 0;
    ///@}

    /// Takes the doorbell's locks of every bucket that is served: from then on writers ring.
    /// @return false when a writer is under way that thinks the relay awake; nothing is held then.
    virtual bool try_sleep() = 0;
    virtual void wake() = 0;

    /// Whether the newest claim chose rows whose large content it read by itself; also when it failed.
    [[nodiscard]] virtual bool chose_content() const = 0;
};

} // namespace outbox::store
