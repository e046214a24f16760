#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace outbox::http {

/// The memory that the bodies of one server may take together. Thread-safe.
class BodyBudget {
public:
    explicit BodyBudget(std::size_t limit) : limit_(limit) {}

    /// @return false, and takes nothing, when so much is not left.
    [[nodiscard]] bool take(std::size_t bytes) noexcept {
        std::size_t used = used_.load();
        do {
            if (bytes > limit_ - used) {
                return false;
            }
        } while (!used_.compare_exchange_weak(used, used + bytes));
        return true;
    }
    /// Returns what take() took. Never blocks.
    void give_back(std::size_t bytes) noexcept { used_ -= bytes; }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

private:
    const std::size_t limit_;
    std::atomic<std::size_t> used_ = 0;
};

/// One body's share of the budget, given back at the end. Not thread-safe.
class BodyShare {
public:
    explicit BodyShare(std::shared_ptr<BodyBudget> budget) : budget_(std::move(budget)) {}
    BodyShare(BodyShare&& other) noexcept
        : budget_(std::move(other.budget_)),
          taken_(std::exchange(other.taken_, 0)) {}
    BodyShare& operator=(BodyShare&&) = delete;
    ~BodyShare() {
        if (taken_ > 0) {
            budget_->give_back(taken_);
        }
    }

    /// Takes more for the same body. @return false, and takes nothing, when so much is not left.
    [[nodiscard]] bool grow(std::size_t bytes) noexcept {
        const bool enough = budget_->take(bytes);
        taken_ += enough ? bytes : 0;
        return enough;
    }

private:
    std::shared_ptr<BodyBudget> budget_;
    std::size_t taken_ = 0;
};

} // namespace outbox::http
