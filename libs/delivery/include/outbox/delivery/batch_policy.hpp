#pragma once

#include <outbox/delivery/batch.hpp>
#include <outbox/kafka/producer.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>

namespace outbox::delivery {

/// Why an ended transaction asks for a recovery; nullopt: it is committed, and nothing of it is under way.
std::optional<std::string> doubt_about(const kafka::TransactionEnd& end);

/// What a failed transaction means for its events, once a recovery has decided its fate.
enum class Remedy {
    none,              ///< not their fault: they are sent again as they are
    split,             ///< one of them spoils the batch: half as many next time
    blame_row,         ///< this one, which stood alone, spends an attempt
    blame_dead_letter, ///< the event's dead letter is refused as well
    refuse_topic ///< the topic of them all refuses, or the control topic: a batch that names no event tells
};
Remedy remedy_for(const kafka::Failure& failure, const Batch& batch);

/// Whether it is marked before anything is claimed: it names no event, or its mark may block a key.
bool goes_alone(const Batch& batch);

/// Where its records go, the control topic included where it has its manifest.
std::set<std::string, std::less<>> topics_of(const Batch& batch);

/// Whether all its events go to one topic.
bool one_topic(const Batch& batch);

/// Whether its size may be what it failed for, though no broker says so: one hangs up on a request that is
/// longer than its socket.request.max.bytes, and a transaction has only so much time.
bool is_large(const Batch& batch);

/// Most events of the next batch.
class BatchLimit {
public:
    explicit BatchLimit(std::size_t most) : most_(most), most_timely_(most), now_(most) {}

    [[nodiscard]] std::size_t now() const { return now_; }
    /// @param throttled  how long a quota held it back: what is held back for long does not grow
    void sent(milliseconds throttled = milliseconds(0));
    /// One of so many events spoilt their batch, and is sought.
    void spoilt(std::size_t events);
    /// It stood alone.
    void found() { now_ = most_timely_; }
    /// So many were too many for the time that a transaction has: half of them, or as many as a quota that
    /// held them back for so long lets through at once.
    void late(std::size_t events, milliseconds throttled = milliseconds(0));

private:
    std::size_t most_;
    std::size_t most_timely_; ///< as far as is known
    std::size_t now_;
};

/// Most rows that one statement claims. What they hold is not known before: where the server cannot hand so
/// many out they are fewer for a while, until the one that is too much for it has stood alone.
class ClaimLimit {
public:
    explicit ClaimLimit(std::size_t most) : most_(most), now_(most) {}

    [[nodiscard]] std::size_t now() const { return now_; }
    void too_many() {
        now_ = std::max<std::size_t>(1, now_ / 8);
        claims_ = 0;
    }
    void took();

private:
    std::size_t most_;
    std::size_t now_;
    std::size_t claims_ = 0; ///< of that size
};

} // namespace outbox::delivery
