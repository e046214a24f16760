#pragma once

#include <outbox/core/deadline.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace outbox::relay {

/// How many of a relay's pipelines share its shards. One alone is fastest while it keeps up: its transactions
/// hold the events of all shards. One that lags behind is limited by its one session of PostgreSQL; then
/// more of them work, until there is no backlog any more. No I/O, no clock.
class Spread {
public:
    using Time = SteadyClock::time_point;

    explicit Spread(std::size_t most) : most_(most) {}

    [[nodiscard]] std::size_t pipelines() const { return now_; }
    /// Now and then.
    /// @param behind  every pipeline at work claims as much as it may
    /// @param ahead   none of them does
    void look(bool behind, bool ahead, Time now);

private:
    std::size_t most_;
    std::size_t now_ = 1;
    std::optional<Time> behind_since_;
    std::optional<Time> ahead_since_;
};

/// A shard that another pipeline of the same relay is to serve.
struct Move {
    int shard = 0;
    std::size_t to = 0;

    friend bool operator==(const Move&, const Move&) = default;
};

/// The fewest moves after which so many pipelines serve as many shards each, or one more.
std::vector<Move> even_out(const std::map<int, std::size_t>& shards, std::size_t pipelines);

} // namespace outbox::relay
