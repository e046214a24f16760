#pragma once

#include <outbox/core/error.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/floors.hpp>
#include <outbox/store/row.hpp>
#include <outbox/store/shard_database.hpp>
#include <outbox/store/unreadable.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace outbox::store {

/// Every statement about the shards that one pipeline serves, each behind the shards' locks and ownership
/// check. Not thread-safe: one a thread, with a connection of its own.
class ShardStore final : public ShardDatabase {
public:
    /// @param shard_count  which buckets are a shard's follows from it
    struct Settings {
        int shard_count = 1; ///< which buckets are a shard's follows from it
        milliseconds timeout{3'000};
        bool delete_sent = false; ///< events that are sent do not stay in the table
    };
    ShardStore(postgres::Connection& connection, const Settings& settings)
        : connection_(connection),
          shard_count_(settings.shard_count),
          timeout_(settings.timeout),
          delete_sent_(settings.delete_sent) {}

    void serve(const std::set<int>& shards) override;
    std::unique_ptr<ShardTurn> begin(const Ownerships& ownerships) override;

    std::optional<Acquired> acquire(int shard, const Uuid& relay, const Identity& identity) override;
    void release(const Ownership& ownership) override;
    void hand_over(const Ownership& ownership) override;
    void disown(const Ownership& ownership) override;
    Slot lease_slot(const Uuid& relay, int had) override;
    void give_back_slot(int number, const Uuid& relay) override;
    std::int64_t slot_epoch(int number) override;
    std::optional<Slot> raise_slot(const Slot& slot) override;
    std::vector<int> slots() override;
    void leave_out(std::set<int> buckets) override { left_out_ = std::move(buckets); }
    bool owns(const Ownership& ownership) override;
    Settled settle(const Ownership& ownership, const Slot& slot, std::span<const ManifestedRow> rows,
                   std::span<const GoneRows> gone, const MarkedUpTo& newest, bool block_failed_keys) override;
    std::map<std::int64_t, Uuid> ids_of(int shard, std::span<const ManifestedRow> rows) override;
    Ownership raise_epoch(const Ownership& ownership) override;
    void note_stopped(const Ownership& ownership, const std::string& reason) override;
    std::optional<std::string> stopped(const Ownership& ownership) override;
    Peek peek(std::span<const std::string> parked_topics) override;
    void skip_parked(std::span<const std::string> parked_topics) override;
    void forget_skipped() override;
    std::vector<int> waiting_buckets() override;
    bool has_strays(std::span<const std::int64_t> in_flight) override;
    std::vector<std::string> topics() override;
    void note_topic(const std::string& topic) override;
    std::vector<LostMarker> lost_markers(const std::string& ids) override;
    void note_lost(const std::string& ids, std::span<const LostMarker> markers) override;
    void forget_lost(const std::string& ids, std::span<const LostMarker> markers) override;

    /// What the newest claim chose, also when it failed.
    [[nodiscard]] const Choice& choice() const { return choice_; }
    bool try_sleep() override;
    void wake() override;
    [[nodiscard]] bool chose_content() const override { return choice_.content; }

private:
    friend class Turn;

    std::set<std::string> writers();

    [[nodiscard]] std::string buckets_of(int shard) const;
    [[nodiscard]] int shard_of(int bucket) const { return bucket % shard_count_; }

    postgres::Connection& connection_;
    int shard_count_;
    milliseconds timeout_;
    bool delete_sent_;
    ///@{
    /// That are served.
    std::vector<int> buckets_; ///< no bucket is always first
    std::vector<int> buckets_in_order_;
    std::string bucket_array_; ///< "{0,8,16}"
    ///@}
    [[nodiscard]] std::vector<std::int64_t> floors_of(std::span<const int> buckets) const;
    [[nodiscard]] std::string due_buckets() const;
    [[nodiscard]] postgres::Params strays(std::span<const std::int64_t> in_flight) const;

    std::set<int> left_out_;
    Floors floors_;
    std::optional<Horizon> horizon_; ///< of the last look
    bool asleep_ = false;
    bool backlog_ = false;        ///< the last claim took all that one statement may
    std::size_t row_bytes_ = 0;   ///< of its rows, on average
    std::string fetch_name_;      ///< outbox_fetch, with the number of rows
    std::string fetch_statement_; ///< so many rows of a large claim
    Choice choice_;
};

/// One guarded transaction about some shards: their locks in shared mode, in order of number, then the
/// ownership check in a statement of its own, then writes. Leaving without commit() changes nothing.
class Turn final : public ShardTurn {
public:
    /// @throws NotOwner
    Turn(ShardStore& store, Ownerships ownerships);

    void mark(std::vector<SentRow> rows, std::span<const ShardMark> marks) override;
    [[nodiscard]] std::size_t gone() const override { return gone_; }
    RowSet claim(const ClaimLimits& limits, std::span<const std::int64_t> in_flight,
                 std::span<const std::string> parked_topics) override;
    RowSet claim_due(std::span<const std::string> parked_topics) override;
    RowSet claim_held(const BlockedKey& key, const ClaimLimits& limits,
                      std::span<const std::string> parked_topics) override;
    void fail(std::span<const FailedAttempt> attempts) override;
    void skip(std::span<const SkippedRow> rows) override;
    void put_back(std::span<const Row> rows) override;
    void postpone(std::span<const Row> rows) override;
    std::size_t hold_followers(int bucket, std::span<const std::int64_t> in_flight) override;
    std::size_t free_strays(std::span<const std::int64_t> in_flight) override;
    std::vector<BlockedKey> sort_blocked(int bucket) override;
    void note_quiet(int shard, bool quiet) override;
    void commit() override;
    void commit(RowSet& claimed) override;

private:
    RowSet claim_some(postgres::Params where, std::size_t most);
    RowSet claim_backlog(postgres::Params where, const ClaimLimits& limits);
    void fetch(RowSet& claimed, std::size_t statements, std::size_t step, std::size_t& bytes, bool& more);
    std::vector<Row> read_large(RowSet& claimed, std::size_t room);
    void mark_processing(const RowSet& claimed);
    void mark_moved(const std::vector<SentRow>& rows, std::size_t marked);
    void note_processing(const RowSet& claimed);
    void wait_for_locks(const ClaimLimits& limits);
    void give_back(const std::vector<Row>& missed, const std::vector<Row>& followers);
    void expect_none(const postgres::Result& left);

    ShardStore& store_;
    Ownerships ownerships_;
    postgres::Transaction transaction_;
    postgres::Result moved_; ///< seq and new place of rows that became PROCESSING
    bool moves_ = false;     ///< they were asked for
    std::size_t gone_ = 0;
    std::int64_t table_file_ = 0; ///< now, or a moment ago
    bool written_ = false;
    bool claimed_ = false;
};

} // namespace outbox::store
