#pragma once

#include "shard/shard_session.hpp"

#include <outbox/postgres/connection.hpp>
#include <outbox/store/shard.hpp>

#include <optional>

namespace outbox::relay {

/// A session of PostgreSQL's.
class PostgresSession final : public ShardSession {
public:
    /// @param database     outlives it
    PostgresSession(const postgres::ConnectOptions& database, const store::ShardStore::Settings& settings)
        : options_(database),
          settings_(settings) {}

    void open() override;
    void close() override;
    [[nodiscard]] bool is_open() const override { return store_.has_value(); }
    [[nodiscard]] bool usable() const override { return connection_ && connection_->usable(); }
    store::ShardDatabase& database() override { return *store_; }
    std::vector<store::UnreadableRow> find_unreadable() override;
    std::vector<store::UnreadableRow> find_refused() override;

private:
    [[nodiscard]] postgres::Connection connect() const;

    const postgres::ConnectOptions& options_;
    store::ShardStore::Settings settings_;
    std::optional<postgres::Connection> connection_;
    std::optional<store::ShardStore> store_; ///< works with the connection
};

} // namespace outbox::relay
