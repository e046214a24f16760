#pragma once

#include "model_session.hpp"

#include <cstdint>
#include <vector>

namespace outbox::model {

/// A guarded transaction of the model: what it reads is read at once, what it writes is written by its
/// commit.
class ModelTurn final : public store::ShardTurn {
public:
    ModelTurn(ModelDatabase& database, store::Ownerships ownerships)
        : database_(database),
          ownerships_(std::move(ownerships)) {}
    ~ModelTurn() override;

    void mark(std::vector<store::SentRow> rows, std::span<const store::ShardMark> marks) override;
    [[nodiscard]] std::size_t gone() const override { return 0; }
    store::RowSet claim(const store::ClaimLimits& limits, std::span<const std::int64_t> in_flight,
                        std::span<const std::string> parked_topics) override;
    store::RowSet claim_due(std::span<const std::string> parked_topics) override;
    store::RowSet claim_held(const store::BlockedKey& key, const store::ClaimLimits& limits,
                             std::span<const std::string> parked_topics) override;
    void fail(std::span<const store::FailedAttempt> attempts) override { failed_ = attempts; }
    void skip(std::span<const store::SkippedRow>) override {}
    void put_back(std::span<const store::Row> rows) override { put_back_ = rows; }
    void postpone(std::span<const store::Row> rows) override { postponed_ = rows; }
    std::size_t hold_followers(int bucket, std::span<const std::int64_t> in_flight) override;
    std::size_t free_strays(std::span<const std::int64_t>) override { return 0; }
    std::vector<store::BlockedKey> sort_blocked(int bucket) override;
    void note_quiet(int, bool) override {}
    void commit() override;
    void commit(store::RowSet& claimed) override;

private:
    void guard();
    store::RowSet rows_of(const std::vector<std::int16_t>& seqs) const;
    void read(std::size_t most, std::size_t in_all, std::span<const std::int64_t> in_flight,
              std::vector<std::int16_t>& seqs);
    void write_marks(Tables& tables) const;
    void write_refusals(Tables& tables) const;
    void write_keys(Tables& tables) const;
    void write_claim(Tables& tables, store::RowSet& claimed) const;

    struct Marked {
        std::vector<store::SentRow> rows;
        std::vector<store::ShardMark> upto;
    };
    ModelDatabase& database_;
    store::Ownerships ownerships_;
    bool guarded_ = false;
    int floor_ = -1; ///< largest seq that was read
    bool from_waiting_ = false;
    std::vector<Marked> marked_;
    std::span<const store::FailedAttempt> failed_;
    std::span<const store::Row> put_back_;
    std::span<const store::Row> postponed_;
    std::vector<std::int16_t> held_;
    std::array<bool, key_count> free_{}; ///< keys of which none waits
};

} // namespace outbox::model
