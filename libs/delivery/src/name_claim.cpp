// A name belongs to whoever wrote first to its control topic. Two databases under one OUTBOX_NAME would
// otherwise write their manifests into one topic, and neither could tell from it what it has sent. The
// claim is an ordinary transaction with a manifest of batch 0, so Kafka itself decides who was first.

#include "outbox/delivery/name_claim.hpp"

#include "outbox/delivery/publisher.hpp"

#include <outbox/core/error.hpp>
#include <outbox/messages/rfc3339.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace outbox::delivery {
namespace {

constexpr std::size_t enough = 16; ///< records, to find the first that can be read
constexpr std::int64_t newest = 10;
constexpr std::string_view says_from = " from ";

/// The oldest record that can be read says whose the topic is.
std::optional<NameHolder> first_of(std::span<const kafka::ControlRecord> records) {
    for (const kafka::ControlRecord& record : records) {
        if (const auto manifest = decode(record.value)) {
            const auto from = record.key.find(says_from);
            const bool said = is_name_claim(*manifest) && from != std::string::npos;
            return NameHolder{manifest->outbox_id, said ? record.key.substr(from + says_from.size()) : "",
                              record.timestamp_ms};
        }
    }
    return std::nullopt;
}

/// The time of a record for people, without fractions.
std::string seconds_of(std::int64_t milliseconds_since_epoch) {
    std::array<char, 32> text{};
    messages::write_rfc3339(milliseconds_since_epoch * 1'000, text.data());
    constexpr std::size_t to_the_second = 19;
    return std::string(text.data(), to_the_second) + 'Z';
}

bool may_be_in_a_topic(std::string_view text) {
    return !text.empty() && kafka::is_topic_name(text);
}

} // namespace

std::optional<NameHolder> holder_of(std::span<const kafka::ControlRecord> head,
                                    std::span<const kafka::ControlRecord> tail) {
    auto holder = first_of(head);
    for (const kafka::ControlRecord& record : tail) {
        // Only records of the holder count: what another outbox says later does not make it the
        // owner.
        const auto manifest = holder ? decode(record.value) : std::nullopt;
        if (manifest && manifest->outbox_id == holder->outbox_id) {
            holder->last_seen_ms = std::max(holder->last_seen_ms, record.timestamp_ms);
        }
    }
    return holder;
}

std::optional<NameHolder> find_holder(const kafka::ClientOptions& client, const kafka::Admin& admin,
                                      const std::string& control_topic, Deadline deadline,
                                      const std::function<bool()>& go_on) {
    const auto state = admin.topic(control_topic, deadline);
    for (std::int32_t partition = 0; state && partition < state->partitions(); ++partition) {
        const auto head =
            kafka::read_control(client, admin, control_topic, partition, -1, deadline, go_on, enough);
        if (head.records.empty()) {
            continue;
        }
        const auto tail =
            kafka::read_control(client, admin, control_topic, partition,
                                std::max<std::int64_t>(head.high_watermark - newest, 0), deadline, go_on);
        if (auto holder = holder_of(head.records, tail.records)) {
            return holder;
        }
    }
    return std::nullopt;
}

std::string claim_key(const Uuid& outbox_id, const std::string& from) {
    return fmt::format("outbox {}{}{}", outbox_id.to_string(), says_from, from);
}

std::string to_text(const NameHolder& holder) {
    return fmt::format("outbox {}{}{}, which last wrote there at {}", holder.outbox_id.to_string(),
                       holder.from.empty() ? "" : ", of ", holder.from, seconds_of(holder.last_seen_ms));
}

std::string free_name(const std::string& taken, const std::string& schema, const Uuid& outbox_id) {
    constexpr std::size_t few_digits = 8;
    const bool by_schema = schema != "public" && may_be_in_a_topic(schema);
    return fmt::format("{}-{}", taken, by_schema ? schema : outbox_id.to_string().substr(0, few_digits));
}

std::string name_is_taken(const std::string& name, const NameHolder& holder, const std::string& free,
                          bool named) {
    return fmt::format(
        "another outbox uses the name '{}' on this Kafka: {}. Nothing was sent under it from here; "
        "{}OUTBOX_NAME={} {}. Where that outbox is gone for good: delete the topic "
        "outbox.{}.control",
        name, to_text(holder), named ? "type " : "give this one a name of its own: set ", free,
        named ? "outbox-relay adopt, and set it for every program of this outbox"
              : "for every program of this outbox",
        name);
}

NameHolder claim_name(const kafka::ClientOptions& client, const kafka::Admin& admin, const NameClaim& claim,
                      Deadline deadline, const std::function<bool()>& go_on) {
    kafka::LaneOptions options;
    options.client = client;
    // Of this relay alone, so that two of one outbox that start together do not fence each other.
    options.transactional_id =
        fmt::format("outbox-{}-name-{}", claim.outbox_id.to_string(), claim.relay.to_string());
    options.transactional_family = transactional_family(claim.outbox_id);
    const std::string key = claim_key(claim.outbox_id, claim.from);
    const std::string value = encode({claim.outbox_id, claim.relay, 0, 0, {}});
    const auto lane = kafka::make_lane(options);
    lane->init(deadline, go_on);
    kafka::Record record;
    record.topic = claim.control_topic;
    record.key = key;
    record.value = value;
    const auto end = lane->send({record}, deadline, [] {});
    if (end.failure) {
        throw kafka::KafkaError(end.failure->code,
                                fmt::format("the name of this outbox could not be written to {}: {}",
                                            claim.control_topic, end.failure->message));
    }
    // What was written is read back: of two that write at once, both see the same one first.
    if (auto holder = find_holder(client, admin, claim.control_topic, deadline, go_on)) {
        return *holder;
    }
    throw Error(Action::retry, "what was just written to " + claim.control_topic + " cannot be read yet");
}

} // namespace outbox::delivery
