#include "shard/pipeline.hpp"

#include <outbox/delivery/batch_policy.hpp>
#include <outbox/faults/faults.hpp>

#include <algorithm>

namespace outbox::relay {
namespace {

using Kind = delivery::IdentityVerdict::Kind;

bool names(const Published& batch, int shard) {
    return std::any_of(batch.marks.begin(), batch.marks.end(),
                       [shard](const store::ShardMark& mark) { return mark.shard == shard; });
}

} // namespace

void Pipeline::clear() {
    ready_.reset();
    publishing_ = nullptr;
    published_.clear();
}

void Pipeline::submit() {
    if (!ready_ || publishing_ != nullptr) {
        return;
    }
    identities_.freshen(ready_->identities); // the answer comes while the records are on their way
    publishing_ = ready_.get();
    publisher_.submit(std::move(ready_));
}

std::optional<delivery::BatchEnd> Pipeline::collect() {
    auto end = publisher_.take_end();
    if (end) {
        publishing_ = nullptr;
    }
    return end;
}

void Pipeline::publish(const delivery::BatchEnd& end) {
    published_.emplace_back(end, clock_.now());
    identities_.want(delivery::names_of(published_.back().identities), &bell_);
}

Pipeline::Proof Pipeline::prove() {
    Proof proof;
    for (Published& batch : published_) {
        if (batch.proven) {
            continue;
        }
        auto verdict = identities_.compare(batch.identities, batch.ended);
        if (verdict.kind == Kind::changed) {
            proof.changed = std::move(verdict.topic);
            break;
        }
        if (verdict.kind == Kind::open) {
            break;
        }
        batch.proven = true;
        proof.some = true;
    }
    return proof;
}

std::span<const Published> Pipeline::proven() const {
    const auto end =
        std::find_if(published_.begin(), published_.end(), [](const auto& batch) { return !batch.proven; });
    return {published_.begin(), end};
}

void Pipeline::forget_proven() {
    published_.erase(published_.begin(), published_.begin() + static_cast<std::ptrdiff_t>(proven().size()));
}

InHand Pipeline::in_hand() const {
    const bool unproven_alone = std::any_of(published_.begin(), published_.end(),
                                            [](const auto& batch) { return batch.alone && !batch.proven; });
    return {ready_ != nullptr, publishing_ != nullptr, !published_.empty(),
            unproven_alone || (publishing_ != nullptr && delivery::goes_alone(*publishing_)),
            !published_.empty() && published_.front().proven};
}

bool Pipeline::holds(int shard) const {
    for (const delivery::Batch* batch : {static_cast<const delivery::Batch*>(ready_.get()), publishing_}) {
        if (batch != nullptr && std::any_of(batch->manifests.begin(), batch->manifests.end(),
                                            [shard](const auto& each) { return each.partition == shard; })) {
            return true;
        }
    }
    return std::any_of(published_.begin(), published_.end(),
                       [shard](const Published& batch) { return names(batch, shard); });
}

std::size_t Pipeline::unmarked(int shard) const {
    return static_cast<std::size_t>(
        std::count_if(published_.begin(), published_.end(),
                      [shard](const Published& batch) { return !batch.proven && names(batch, shard); }));
}

bool Pipeline::full() const {
    return published_.size() >= most_published && faults::cure("bounded-unmarked");
}

std::size_t Pipeline::events() const {
    std::size_t count = ready_ ? ready_->claimed.rows.size() : 0;
    count += publishing_ != nullptr ? publishing_->claimed.rows.size() : 0;
    for (const Published& batch : published_) {
        count += batch.sent.size() + batch.dead_letters.size();
    }
    return count;
}

std::vector<std::int64_t> Pipeline::seqs() const {
    std::vector<std::int64_t> all;
    for (const delivery::Batch* batch : {static_cast<const delivery::Batch*>(ready_.get()), publishing_}) {
        if (batch != nullptr) {
            for (const store::Row& row : batch->claimed.rows) {
                all.push_back(row.seq);
            }
        }
    }
    for (const Published& batch : published_) {
        for (const store::SentRow& row : batch.sent) {
            all.push_back(row.seq);
        }
        for (const store::FailedAttempt& letter : batch.dead_letters) {
            all.push_back(letter.seq);
        }
    }
    return all;
}

} // namespace outbox::relay
