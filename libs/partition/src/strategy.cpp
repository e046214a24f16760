// Key to partition. `hash` gives the same partition as the Java client for the same key, so consumers
// that count on it go on to work when writers change from their own producer to the outbox.

#include "outbox/partition/strategy.hpp"

#include "json_field.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>

namespace outbox::partition {
namespace {

/// The Java client's formula: murmur2 without its sign, modulo the number of partitions.
std::int32_t partition_of(std::string_view bytes, std::int32_t count) noexcept {
    constexpr std::uint32_t positive = 0x7fffffff;
    return static_cast<std::int32_t>((murmur2(bytes) & positive) % static_cast<std::uint32_t>(count));
}

/// splitmix64's last step: neighbours come out far apart.
std::uint64_t scrambled(std::uint64_t number) noexcept {
    number += 0x9e3779b97f4a7c15;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
    number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
    return number ^ (number >> 31);
}

/// A function of the user's as a strategy.
class FromChoice final : public PartitionStrategy {
public:
    explicit FromChoice(Choice choice) : choice_(std::move(choice)) {}

    std::optional<std::int32_t> choose(const Routing& event, std::int32_t count) const noexcept override {
        return choice_(event, count);
    }

private:
    Choice choice_;
};

} // namespace

std::string PartitionStrategy::order_caveat() const {
    return "a strategy of your own: order per key holds only as far as it gives events of one key one "
           "partition";
}

std::optional<std::int32_t> HashPartitionStrategy::choose(const Routing& event,
                                                          std::int32_t count) const noexcept {
    return partition_of(event.key, count);
}

std::optional<std::int32_t> RoundRobinPartitionStrategy::choose(const Routing& event,
                                                                std::int32_t count) const noexcept {
    const auto place = static_cast<std::uint64_t>(event.seq - 1);
    const auto partitions = static_cast<std::uint64_t>(count);
    const std::uint64_t shift = scrambled(place / partitions) % partitions;
    return static_cast<std::int32_t>((place % partitions + shift) % partitions);
}

std::string RoundRobinPartitionStrategy::order_caveat() const {
    return "round-robin spreads the events of one key over all partitions: consumers do not see them in "
           "order";
}

UserIDPartitionStrategy::UserIDPartitionStrategy(const std::vector<std::string>& pointers) {
    for (const std::string& pointer : pointers) {
        auto path = parse_pointer(pointer);
        if (!path) {
            throw UsageError(fmt::format(
                "'{}' is not a path to a field: it must be like /user_id or /customer/id", pointer));
        }
        paths_.push_back(std::move(*path));
    }
}

std::optional<std::int32_t> UserIDPartitionStrategy::choose(const Routing& event,
                                                            std::int32_t count) const noexcept {
    for (const auto& path : paths_) {
        const Field field = field_at(event.data, path);
        if (field.too_deep) {
            return unreadable;
        }
        if (field.value) {
            return partition_of(*field.value, count);
        }
    }
    return std::nullopt;
}

std::string UserIDPartitionStrategy::order_caveat() const {
    return "partitions follow a field of the event, not its key: consumers see the events of one key in "
           "order "
           "only where all of them hold the same value there";
}

CustomPartitionStrategy& CustomPartitionStrategy::set_strategy_for_event_type(std::string event_type,
                                                                              Strategy strategy) {
    by_event_type_[std::move(event_type)] = std::move(strategy);
    return *this;
}

CustomPartitionStrategy& CustomPartitionStrategy::set_strategy_for_event_type(std::string event_type,
                                                                              Choice choice) {
    return set_strategy_for_event_type(std::move(event_type), from_choice(std::move(choice)));
}

CustomPartitionStrategy& CustomPartitionStrategy::set_fallback(Strategy strategy) {
    fallback_ = std::move(strategy);
    return *this;
}

std::optional<std::int32_t> CustomPartitionStrategy::choose(const Routing& event,
                                                            std::int32_t count) const noexcept {
    const auto found = by_event_type_.find(event.event_type);
    return (found == by_event_type_.end() ? fallback_ : found->second)->choose(event, count);
}

std::string CustomPartitionStrategy::order_caveat() const {
    std::string caveat;
    const auto add = [&](std::string_view of, const PartitionStrategy& strategy) {
        if (const auto text = strategy.order_caveat(); !text.empty()) {
            caveat += fmt::format("{}{}: {}", caveat.empty() ? "" : "; ", of, text);
        }
    };
    add("fallback", *fallback_);
    for (const auto& [event_type, strategy] : by_event_type_) {
        add(event_type, *strategy);
    }
    return caveat;
}

Strategy from_choice(Choice choice) {
    return std::make_shared<FromChoice>(std::move(choice));
}

Strategy parse_strategy(std::string_view name, std::string_view text) {
    constexpr std::string_view field = "field:";
    if (text == "hash") {
        return std::make_shared<HashPartitionStrategy>();
    }
    if (text == "round-robin") {
        return std::make_shared<RoundRobinPartitionStrategy>();
    }
    if (text.starts_with(field) && parse_pointer(text.substr(field.size()))) {
        return std::make_shared<UserIDPartitionStrategy>(std::string(text.substr(field.size())));
    }
    throw UsageError(fmt::format("{}={} is not allowed: it must be hash, round-robin or field:/path, such as "
                                 "field:/user_id",
                                 name, text));
}

std::optional<std::int32_t> choose_partition(const PartitionStrategy& strategy, const Routing& event,
                                             std::int32_t count) noexcept {
    const auto chosen = strategy.choose(event, count);
    if (chosen == PartitionStrategy::unreadable) {
        return std::nullopt;
    }
    return chosen && *chosen >= 0 && *chosen < count ? *chosen : partition_of(event.key, count);
}

} // namespace outbox::partition
