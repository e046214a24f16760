#pragma once

#include "batch/published.hpp"
#include "shard/clock.hpp"
#include "shard/shard_machine.hpp"

#include <outbox/delivery/batch.hpp>
#include <outbox/delivery/identity_watch.hpp>
#include <outbox/delivery/publisher.hpp>
#include <outbox/delivery/signal.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace outbox::relay {

/// The batches of one pipeline between claim and mark: at most one is ready, one at the broker, a few
/// published, far below the control_keys that bound how many may be unmarked.
class Pipeline {
public:
    /// While brokers do not say whether the topics of these are still the same, nothing more is claimed.
    static constexpr std::size_t most_published = 3;

    /// What it is made with outlives it. @param bell  rung when brokers have said more about topics
    Pipeline(delivery::Publisher& publisher, delivery::IdentityWatch& identities, delivery::Signal& bell,
             const Clock& clock)
        : publisher_(publisher),
          identities_(identities),
          bell_(bell),
          clock_(clock) {}

    /// A recovery decides about what was in hand. What is at the broker stays the publisher's.
    void clear();

    /// A batch has been built. @pre none is ready
    void hold(std::unique_ptr<delivery::Batch> batch) { ready_ = std::move(batch); }
    /// Gives the one that is ready to the publisher when that is free.
    void submit();
    /// The batch at the broker when its transaction has ended, once. One that was committed is then
    /// published.
    std::optional<delivery::BatchEnd> collect();
    void publish(const delivery::BatchEnd& end);

    /// Whether the published batches' topics are the same as before they were sent.
    struct Proof {
        bool some = false;   ///< of a batch more than before this call: it may be marked
        std::string changed; ///< a topic that is not the same; empty: none
    };
    /// A commit succeeds although a topic was deleted and made again meanwhile, and what stood there before
    /// is gone. Rows are marked when the topics are known to be the same by a question that began after the
    /// commit.
    Proof prove();

    /// Those that may be marked, in the order in which they were sent.
    [[nodiscard]] std::span<const Published> proven() const;
    /// Batches that name the shard, that Kafka has, and that may not be marked yet.
    [[nodiscard]] std::size_t unmarked(int shard) const;
    /// Those that may be marked are.
    void forget_proven();

    [[nodiscard]] InHand in_hand() const;
    /// Whether one of them names the shard.
    [[nodiscard]] bool holds(int shard) const;
    /// Nothing is claimed until something was marked.
    [[nodiscard]] bool full() const;
    /// Nothing is at the broker.
    [[nodiscard]] bool publisher_is_free() const { return publishing_ == nullptr; }
    /// Events claimed and not yet marked.
    [[nodiscard]] std::size_t events() const;
    /// Their numbers: the database cannot show them where PROCESSING is not tracked.
    [[nodiscard]] std::vector<std::int64_t> seqs() const;

private:
    delivery::Publisher& publisher_;
    delivery::IdentityWatch& identities_;
    delivery::Signal& bell_;
    const Clock& clock_;
    std::unique_ptr<delivery::Batch> ready_;
    const delivery::Batch* publishing_ = nullptr; ///< owned by the publisher
    std::vector<Published> published_;
};

} // namespace outbox::relay
