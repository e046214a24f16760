#pragma once

#include "life.hpp"
#include "shard/shard_session.hpp"

#include <optional>
#include <string>
#include <vector>

namespace outbox::model {

/// The model's database as the loop of a pipeline sees it. Before a transaction commits the others go on; any
/// of them may fail, before or after it.
class ModelDatabase final : public store::ShardDatabase {
public:
    explicit ModelDatabase(Life& life) : life_(life) {}

    void serve(const std::set<int>& shards) override;
    std::unique_ptr<store::ShardTurn> begin(const store::Ownerships& ownerships) override;
    std::optional<store::Acquired> acquire(int shard, const Uuid& relay,
                                           const store::Identity& identity) override;
    void release(const store::Ownership& ownership) override;
    void hand_over(const store::Ownership& ownership) override;
    void disown(const store::Ownership& ownership) override;
    store::Slot lease_slot(const Uuid& relay, int had) override;
    void give_back_slot(int number, const Uuid& relay) override;
    std::int64_t slot_epoch(int number) override;
    std::optional<store::Slot> raise_slot(const store::Slot& slot) override;
    std::vector<int> slots() override;
    void leave_out(std::set<int>) override {}
    bool owns(const store::Ownership& ownership) override;
    store::Settled settle(const store::Ownership& ownership, const store::Slot& slot,
                          std::span<const store::ManifestedRow> rows, std::span<const store::GoneRows> gone,
                          const store::MarkedUpTo& newest, bool block_failed_keys) override;
    std::map<std::int64_t, Uuid> ids_of(int, std::span<const store::ManifestedRow>) override { return {}; }
    store::Ownership raise_epoch(const store::Ownership& ownership) override;
    void note_stopped(const store::Ownership& ownership, const std::string& reason) override;
    std::optional<std::string> stopped(const store::Ownership& ownership) override;
    store::Peek peek(std::span<const std::string> parked_topics) override;
    void skip_parked(std::span<const std::string>) override {}
    void forget_skipped() override {}
    std::vector<int> waiting_buckets() override;
    bool has_strays(std::span<const std::int64_t>) override { return false; }
    std::vector<std::string> topics() override { return {}; }
    void note_topic(const std::string&) override {}
    std::vector<store::LostMarker> lost_markers(const std::string&) override { return {}; }
    void note_lost(const std::string&, std::span<const store::LostMarker>) override {}
    void forget_lost(const std::string&, std::span<const store::LostMarker>) override {}
    bool try_sleep() override { return false; }
    void wake() override {}
    [[nodiscard]] bool chose_content() const override { return false; }

    /// Why the shard stands still.
    [[nodiscard]] const std::string& reason(int shard) const {
        return reasons_[static_cast<std::size_t>(shard)];
    }

    ///@{
    /// For transactions.
    /// @throws DatabaseError: the session is gone
    void need_session() const;
    [[nodiscard]] bool is_owner(const store::Ownership& ownership) const;
    /// Waits, runs `write` on the tables and makes it durable, unless the connection breaks before.
    /// @throws DatabaseError: the answer did not come
    template <class Write>
    void commit(Write write, bool durable = true);
    [[nodiscard]] Tables& tables() const { return life_.world.database.now; }
    [[nodiscard]] Life& life() const { return life_; }
    ///@}

private:
    enum class Fault { none, before, after };
    [[nodiscard]] Fault fault() const;
    void wait_for_lock(int shard) const;
    [[nodiscard]] int free_slot(int had) const;
    void bring_in_line(int shard, const store::Slot& slot, std::span<const store::ManifestedRow> rows,
                       const store::MarkedUpTo& newest);

    Life& life_;
    std::array<std::string, shard_count> reasons_;
};

class ModelSession final : public relay::ShardSession {
public:
    explicit ModelSession(Life& life) : life_(life), database_(life) {}

    void open() override {
        life_.world.database.connect(life_.relay);
        life_.served = 0;
        open_ = true;
    }
    void close() override {
        life_.world.database.disconnect(life_.relay);
        open_ = false;
    }
    [[nodiscard]] bool is_open() const override { return open_; }
    [[nodiscard]] bool usable() const override { return open_ && life_.world.database.session(life_.relay); }
    ModelDatabase& database() override { return database_; }
    [[nodiscard]] const ModelDatabase& database() const { return database_; }
    std::vector<store::UnreadableRow> find_unreadable() override { return {}; }
    std::vector<store::UnreadableRow> find_refused() override { return {}; }

private:
    Life& life_;
    ModelDatabase database_;
    bool open_ = false;
};

} // namespace outbox::model
