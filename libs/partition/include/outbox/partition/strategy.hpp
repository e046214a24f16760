#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::partition {

/// What a strategy may look at. Views live for the call only.
struct Routing {
    std::string_view key;        ///< of the Kafka record
    std::string_view topic;      ///< that it goes to
    std::string_view event_type; ///< of the row
    std::string_view data = {};  ///< the event's JSON text
    std::int64_t seq = 0;        ///< the event's place in the outbox, from 1; the same in every attempt
};

/// Chooses the partition of an event. Derive from it, or wrap a lambda, for a choice of your own.
class PartitionStrategy {
public:
    PartitionStrategy() = default;
    PartitionStrategy(const PartitionStrategy&) = delete;
    PartitionStrategy& operator=(const PartitionStrategy&) = delete;
    virtual ~PartitionStrategy() = default;

    /// What choose() returns for an event that it cannot read: the event alone fails, rather than going where
    /// it does not belong.
    static constexpr std::int32_t unreadable = INT32_MIN;

    /// Partition in [0, count), or nullopt to leave it to the hash of the key. Thread-safe. @pre count > 0
    [[nodiscard]] virtual std::optional<std::int32_t> choose(const Routing& event,
                                                             std::int32_t count) const noexcept = 0;

    /// Empty when events of one key always share a partition; else what the log says about it.
    [[nodiscard]] virtual std::string order_caveat() const;
};

/// Shared, because every shard asks the same one.
using Strategy = std::shared_ptr<const PartitionStrategy>;
/// A strategy as a lambda; it must not throw.
using Choice = std::function<std::optional<std::int32_t>(const Routing& event, std::int32_t count)>;

/// The Java client's default for keyed records: murmur2 of the key.
class HashPartitionStrategy final : public PartitionStrategy {
public:
    std::optional<std::int32_t> choose(const Routing& event, std::int32_t count) const noexcept override;
    [[nodiscard]] std::string order_caveat() const override { return {}; }
};

/// Each partition once in every `count` consecutive events. Follows from `seq` alone, so neither restarts nor
/// several relays skew it. The order inside each round is scrambled: writers that insert for several topics
/// in a fixed rhythm would otherwise meet the same partitions again and again.
class RoundRobinPartitionStrategy final : public PartitionStrategy {
public:
    std::optional<std::int32_t> choose(const Routing& event, std::int32_t count) const noexcept override;
    [[nodiscard]] std::string order_caveat() const override;
};

/// Hashes a field of the event's JSON as HashPartitionStrategy hashes a key: strings by their content,
/// numbers and booleans as they are written. Where no such field is, the key's hash decides.
class UserIDPartitionStrategy final : public PartitionStrategy {
public:
    /// `user_id`, else `id`: an order has an id of its own beside its user's.
    UserIDPartitionStrategy() : UserIDPartitionStrategy(std::vector<std::string>{"/user_id", "/id"}) {}
    /// @param pointer  RFC 6901, e.g. "/customer/id". @throws UsageError when it is none.
    explicit UserIDPartitionStrategy(std::string pointer)
        : UserIDPartitionStrategy(std::vector<std::string>{std::move(pointer)}) {}
    /// The first field that is there decides. @throws UsageError
    explicit UserIDPartitionStrategy(const std::vector<std::string>& pointers);

    std::optional<std::int32_t> choose(const Routing& event, std::int32_t count) const noexcept override;
    [[nodiscard]] std::string order_caveat() const override;

private:
    std::vector<std::vector<std::string>> paths_;
};

/// One strategy for each event type, and one for all others.
class CustomPartitionStrategy final : public PartitionStrategy {
public:
    /// @param fallback  for event types without one of their own; not null
    explicit CustomPartitionStrategy(Strategy fallback = std::make_shared<HashPartitionStrategy>())
        : fallback_(std::move(fallback)) {}

    ///@{
    /// Before the relay starts. A second one for the same event type replaces the first; none may be null.
    CustomPartitionStrategy& set_strategy_for_event_type(std::string event_type, Strategy strategy);
    CustomPartitionStrategy& set_strategy_for_event_type(std::string event_type, Choice choice);
    CustomPartitionStrategy& set_fallback(Strategy strategy);
    ///@}

    std::optional<std::int32_t> choose(const Routing& event, std::int32_t count) const noexcept override;
    [[nodiscard]] std::string order_caveat() const override;

private:
    std::map<std::string, Strategy, std::less<>> by_event_type_;
    Strategy fallback_;
};

/// A strategy from a lambda.
Strategy from_choice(Choice choice);

/// "hash", "round-robin" or "field:/path". @param name  of the setting, for the error. @throws UsageError
Strategy parse_strategy(std::string_view name, std::string_view text);

/// What `strategy` says, or the key's hash where it has no say or names a partition that does not exist.
/// @return nullopt where it cannot read the event
std::optional<std::int32_t> choose_partition(const PartitionStrategy& strategy, const Routing& event,
                                             std::int32_t count) noexcept;

/// MurmurHash2, 32 bits, with Kafka's seed. Source: Apache Kafka's protocol compatibility requirement.
std::uint32_t murmur2(std::string_view bytes) noexcept;

} // namespace outbox::partition
