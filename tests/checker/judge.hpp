#pragma once

#include "event_id.hpp"
#include "names.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace checker {

enum class Status { unsent, sent, failed, skipped, unknown };

/// NULL counts as NEW; NEW and PROCESSING are unsent.
[[nodiscard]] Status status_of(std::string_view text) noexcept;

/// One row of outbox_events. The views need to live for the call only.
struct Row {
    EventId id;
    std::int64_t rank = 0; ///< rises per key in commit order: `seq`, or a counter out of the payload
    std::string_view status;
    std::string_view topic;
    std::string_view key; ///< partition_key, else aggregate_id
    std::string_view type;
    std::optional<std::string_view> data; ///< payload, else event_data::text; nothing: a tombstone
    std::optional<std::int32_t> partition;
    std::optional<std::int64_t> offset;
    bool processed = true; ///< processed_at is set
};

/// One committed record of Kafka. The views need to live for the call only.
struct Record {
    std::string_view topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::optional<std::string_view> id; ///< header ce_id
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
    std::optional<std::string_view> type; ///< header ce_type, judged where it is there
};

struct Rules {
    bool final = false;        ///< nothing moves any more: unsent rows are judged too
    bool allow_failed = false; ///< FAILED rows are expected
    bool murmur2 = true;       ///< records must stand where the Java client would put them
};

enum class Kind { lost, repeated, misordered, phantom, wrong };
inline constexpr std::array kinds{Kind::lost, Kind::repeated, Kind::misordered, Kind::phantom, Kind::wrong};
[[nodiscard]] std::string_view name_of(Kind kind) noexcept;

struct Findings {
    static constexpr std::size_t kept = 20;
    std::uint64_t count = 0;
    std::vector<std::string> first; ///< one line each, at most `kept`
};

struct Verdict {
    std::uint64_t events = 0;
    std::uint64_t sent = 0;
    std::uint64_t unsent = 0;
    std::uint64_t unplaced = 0; ///< SENT rows without partition and offset: settled by a recovery
    std::map<Kind, Findings> findings;

    [[nodiscard]] std::uint64_t count(Kind kind) const;
    [[nodiscard]] bool clean() const;
    /// "events=N sent=N lost=0 repeated=0 ..."
    [[nodiscard]] std::string line() const;
};

/// What Kafka holds of one row.
struct Sighting {
    std::uint32_t count = 0;
    std::uint32_t topic = 0;
    std::int32_t partition = -1; ///< of the first copy
    std::int64_t offset = -1;
};

/// Compares the table with the topics. No I/O: rows first, then the records of each partition in offset
/// order, then verdict().
class Judge {
public:
    explicit Judge(Rules rules) : rules_(rules) {}

    void add(const Row& row);
    /// A writer was told that this event is committed.
    void expect(const EventId& id);
    /// Without it the partitioner is not judged for the topic.
    void set_partitions(std::string_view topic, std::int32_t count);
    void add(const Record& record);

    /// A value that is not byte for byte the row's. Somebody who knows JSON must say whether it is
    /// equal.
    struct Doubt {
        EventId id;
        std::string value;
        std::string where;
    };
    [[nodiscard]] std::size_t doubts() const noexcept { return doubts_.size(); }
    [[nodiscard]] std::vector<Doubt> take_doubts();
    void value_differs(const Doubt& doubt);

    /// Records whose id no row has: phantoms, unless the row came after the table was read; then it is
    /// forgiven.
    [[nodiscard]] std::vector<EventId> strangers() const;
    void forgive(const EventId& id);

    /// Call once, last.
    [[nodiscard]] Verdict verdict();

    struct Kept {
        EventId id;
        std::int64_t rank;
        std::uint64_t digest;
        std::int64_t offset; ///< as the row says; -1 for NULL
        std::uint32_t topic;
        std::uint32_t key;
        std::uint32_t type;
        std::int32_t partition;
        Status status;
        bool processed;
        bool tombstone;
        Sighting seen;
    };
    [[nodiscard]] const std::vector<Kept>& rows() const noexcept { return rows_; }
    [[nodiscard]] const Names& names() const noexcept { return names_; }

private:
    struct Track {
        std::int32_t partition;
        std::int64_t rank;
    };
    struct Stranger {
        std::uint32_t count = 0;
        std::string where;
    };

    void note(Kind kind, const std::string& text);
    void judge_place(const Record& record, const Kept& row, const std::string& where);
    void judge_content(const Record& record, const Kept& row, const std::string& where);
    void judge_order(const Record& record, const Kept& row, const std::string& where);
    void judge_row(const Kept& row);
    void judge_sent(const Kept& row);

    Rules rules_;
    Names names_;
    std::vector<Kept> rows_;
    std::unordered_map<EventId, std::uint32_t, EventIdHash> by_id_;
    std::unordered_map<std::uint64_t, Track> tracks_; ///< (topic, key) -> its newest record
    std::unordered_map<std::uint32_t, std::int32_t> partition_counts_;
    std::map<EventId, Stranger> strangers_;
    std::vector<Doubt> doubts_;
    Verdict verdict_;
};

} // namespace checker
