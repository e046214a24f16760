#pragma once

#include <outbox/core/uuid.hpp>
#include <outbox/delivery/identities.hpp>
#include <outbox/kafka/control_reader.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace outbox::backfill {

/// Where one lane of a run stands. It is a control record's value, in the transaction of the events before
/// it, so it is visible exactly when they are.
struct LanePosition {
    std::int64_t batch = 0;     ///< 1, 2, ... a lane
    std::int64_t through = 0;   ///< every event of the lane up to this seq is published
    std::int64_t settled = 0;   ///< every event of every lane up to this seq is published
    std::int64_t published = 0; ///< events of the lane so far

    bool operator==(const LanePosition&) const = default;
};

/// A control record: which run, which lane, and where it stands.
struct ControlEntry {
    Uuid run;
    int lane = 0;
    LanePosition position;

    bool operator==(const ControlEntry&) const = default;
};

/// Version 1: "1 <run's id> <lane> <batch> <through> <settled> <published>".
std::string encode(const ControlEntry& entry);
/// @return nullopt for anything that encode() did not write.
std::optional<ControlEntry> decode(std::string_view text);

/// Beside it, in a header: the topics that the events went to, with Kafka's ids of them. Those of which none
/// is known are left out.
inline constexpr std::string_view topics_header = "topics";
/// The topics as the header's text.
std::string encode_topics(const delivery::TopicIdentities& topics);
/// What it cannot read is left out.
delivery::TopicIdentities decode_topics(std::string_view text);

/// Where a run goes on.
struct Resume {
    std::vector<LanePosition> lanes;
    delivery::TopicIdentities topics = {}; ///< that hold what is published

    /// Events of all lanes that are published.
    [[nodiscard]] std::int64_t published() const noexcept;
    /// Nothing at or below it is left to do.
    [[nodiscard]] std::int64_t settled() const noexcept;
};

/// Going on would be a guess.
struct CannotResume {
    std::string reason;
};

/// Decides, without I/O, what the committed end of a control partition means for a run.
/// @param begins     offset at or after which all records of the run are
/// @param published  what was known to be published at least
std::variant<Resume, CannotResume> plan_resume(const Uuid& run, int lanes, std::int64_t begins,
                                               std::int64_t published, const kafka::ControlTail& tail);

} // namespace outbox::backfill
