#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/delivery/identities.hpp>
#include <outbox/delivery/signal.hpp>

#include <set>
#include <string>

namespace outbox::delivery {

/// Tells shards whether topics are still those that they were before a batch was sent there. Thread-safe.
class IdentityWatch {
public:
    using Names = std::set<std::string, std::less<>>;

    IdentityWatch() = default;
    IdentityWatch(const IdentityWatch&) = delete;
    IdentityWatch& operator=(const IdentityWatch&) = delete;
    virtual ~IdentityWatch() = default;

    /// Asks about these soon, by a question that begins after this call.
    /// @param bell  rings when it was answered; lives until leave()
    virtual void want(const Names& topics, Signal* bell) = 0;
    /// Asks again where what is known is not fresh: the answer comes while records are on their way.
    virtual void freshen(const TopicIdentities& topics) = 0;
    /// The bell rings no more.
    virtual void leave(const Signal& bell) = 0;

    /// Ids under which these topics are known now, asked for where nothing certain is known.
    /// @throws KafkaError: brokers do not answer
    virtual TopicIdentities identify(const Names& topics, Deadline deadline) = 0;

    /// Whether the topics are still these, as far as is known from questions since then.
    [[nodiscard]] virtual IdentityVerdict compare(const TopicIdentities& before,
                                                  SteadyClock::time_point since) const = 0;
};

} // namespace outbox::delivery
