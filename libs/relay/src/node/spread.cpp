#include "node/spread.hpp"

#include <algorithm>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds wide_after = 900ms; // two looks; less would move shards for a burst
constexpr milliseconds narrow_after = 10s;

} // namespace

void Spread::look(bool behind, bool ahead, Time now) {
    const auto since = [now](bool holds, const std::optional<Time>& before) {
        return holds ? std::optional(before.value_or(now)) : std::nullopt;
    };
    behind_since_ = since(behind, behind_since_);
    ahead_since_ = since(ahead, ahead_since_);
    if (behind_since_ && now - *behind_since_ >= wide_after && now_ < most_) {
        ++now_;
        behind_since_.reset();
    } else if (ahead_since_ && now - *ahead_since_ >= narrow_after && now_ > 1) {
        --now_;
        ahead_since_.reset();
    }
}

std::vector<Move> even_out(const std::map<int, std::size_t>& shards, std::size_t pipelines) {
    std::vector<std::size_t> room(pipelines, shards.size() / pipelines);
    std::fill_n(room.begin(), shards.size() % pipelines, shards.size() / pipelines + 1);
    std::vector<int> homeless;
    for (const auto& [shard, pipeline] : shards) {
        if (pipeline < pipelines && room[pipeline] > 0) {
            --room[pipeline];
        } else {
            homeless.push_back(shard);
        }
    }
    std::vector<Move> moves;
    std::size_t to = 0;
    for (const int shard : homeless) {
        while (room[to] == 0) {
            ++to;
        }
        --room[to];
        moves.push_back({shard, to});
    }
    return moves;
}

} // namespace outbox::relay
