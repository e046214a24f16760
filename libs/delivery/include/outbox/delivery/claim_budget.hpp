#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

namespace outbox::delivery {

/// Bounds what the shards of one relay have claimed and not yet sent, so that its memory does not grow with
/// their number or the backlog. A shard with nothing in hand may always claim its share; what it claims
/// ahead, while a batch of its own is at the broker, waits for room. Thread-safe. Outlives what is held.
class ClaimBudget {
public:
    /// @param bytes  of the rows, all shards together; memory is a few times as much
    explicit ClaimBudget(std::size_t bytes) : total_(bytes) {}

    /// Room for a batch's rows, given back when it goes.
    class Held {
    public:
        Held() = default;
        Held(Held&& other) noexcept { swap(other); }
        Held& operator=(Held&& other) noexcept {
            swap(other);
            return *this;
        }
        ~Held() { shrink_to(0); }

        explicit operator bool() const { return bytes_ > 0; }
        /// The rest is given back.
        void shrink_to(std::size_t bytes) {
            if (bytes < bytes_) {
                budget_->used_ -= std::exchange(bytes_, bytes) - bytes;
            }
        }

    private:
        friend ClaimBudget;
        Held(ClaimBudget& budget, std::size_t bytes) : budget_(&budget), bytes_(bytes) {}
        void swap(Held& other) noexcept {
            std::swap(budget_, other.budget_);
            std::swap(bytes_, other.bytes_);
        }

        ClaimBudget* budget_ = nullptr;
        std::size_t bytes_ = 0;
    };

    /// So many shards are worked on from now on.
    void share_among(std::size_t shards) {
        share_ = std::clamp(total_ / std::max<std::size_t>(shards, 1), least, most);
    }
    /// Most bytes of one claim.
    [[nodiscard]] std::size_t share() const { return share_; }

    /// @return a share
    Held hold() {
        const std::size_t bytes = share_;
        used_ += bytes;
        return {*this, bytes};
    }
    /// @return a share, or nothing when there is no room for it
    Held hold_ahead() {
        auto held = hold();
        if (used_ > total_) {
            held.shrink_to(0);
        }
        return held;
    }

private:
    static constexpr std::size_t least = std::size_t{64} << 10;
    static constexpr std::size_t most = std::size_t{1} << 20; // larger ones drained no faster

    std::size_t total_;
    std::atomic<std::size_t> share_{most};
    std::atomic<std::size_t> used_{0};
};

} // namespace outbox::delivery
