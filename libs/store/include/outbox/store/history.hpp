#pragma once

#include <outbox/postgres/transaction.hpp>
#include <outbox/store/row.hpp>
#include <outbox/store/seq_ranges.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace outbox::store {

/// Which events that are done (SENT, FAILED or SKIPPED). What is not set does not matter.
struct HistoryFilter {
    std::optional<std::string> aggregate_type;
    std::optional<std::string> aggregate_id;
    std::optional<std::string> event_type;
    std::vector<std::string> statuses{"SENT"};
    std::optional<std::string> since;   ///< created at it or later, as PostgreSQL reads it
    std::optional<std::string> until;   ///< created before it
    std::vector<Uuid> ids;              ///< empty: any
    SeqRanges waiting;                  ///< none of these, whatever became of them since
    std::optional<std::string> done_by; ///< of runs that an earlier version began
    std::string archived; ///< events beside those of outbox_events, as archived_events() says it; empty: none
};

/// A WHERE clause about outbox_events AS o, and its parameters.
struct Condition {
    std::string sql;
    postgres::Params params;
};

/// The filter, within `after` < seq <= `upto`.
Condition condition(const HistoryFilter& filter, std::int64_t after, std::int64_t upto);

/// How much one page may hold. The first event counts for nothing: it is always taken.
struct PageLimits {
    std::size_t rows = 6'000;
    std::size_t bytes = 6'000'000; ///< in memory; a single number may take more
};

/// What the table keeps of an event.
struct StoredEvent {
    std::int64_t seq = 0;
    std::int64_t bytes = 0; ///< maybe compressed
};

/// How far a page goes, so that what it holds finds room. Pure.
struct PagePlan {
    std::int64_t through = 0;
    std::int64_t large_bytes = 0; ///< that the table keeps of its large events
    bool whole = true;            ///< all of these events are in it
};

/// Events of one number are not divided, and there is always one number.
/// @param events     in their order, one more than limits.rows when there are more; not empty
/// @param expansion  of content that is not small: bytes in memory for one in the table
PagePlan plan_page(const std::vector<StoredEvent>& events, const PageLimits& limits, double expansion);

/// The expansion to go on with, after a page whose content of so many bytes took so many in memory.
double next_expansion(double last, std::int64_t stored, std::size_t in_memory);

/// Some events in the order of seq, and how far the history has been looked through with them. Events of one
/// number, as after a numbering that began anew, are in one page.
struct Page {
    RowSet found;
    std::int64_t through = 0;
};

/// Events that agree in types, topic and day.
struct HistoryCount {
    std::string aggregate_type;
    std::string event_type;
    std::string topic; ///< as it stands in the row
    std::string day;   ///< UTC; empty: no created_at
    std::int64_t events = 0;
    std::int64_t bytes = 0; ///< of keys, values and headers, roughly
};

/// What a window of numbers holds, summed up, and how far it reaches.
struct WindowCounts {
    std::vector<HistoryCount> counts;
    std::int64_t events = 0;
    std::int64_t first = 0; ///< seq
    std::int64_t last = 0;
    std::int64_t through = 0;
    std::int64_t untimed = 0; ///< beside these: no created_at, where `since` or `until` is set
    std::int64_t twice = 0;   ///< among these: in the archive as well, under another number
};

/// Looks through events that are done, in the order of seq, in short statements: each looks at a window of
/// numbers, so that no snapshot is held for long. What a replica ends for the sake of its primary is asked
/// again. Not thread-safe.
class History {
public:
    /// @param open  a session with the server to read from; it is opened when first needed, and when it was
    /// lost
    History(std::function<postgres::Connection()> open, HistoryFilter filter, milliseconds timeout)
        : open_(std::move(open)),
          filter_(std::move(filter)),
          timeout_(timeout) {}

    /// @throws what `open` does
    void connect();

    /// How far a replica is behind by its own account. Zero on a primary.
    milliseconds lag();

    /// The next events above `after`. An empty page says how far there are none. @pre after < upto
    Page read(std::int64_t after, std::int64_t upto, const PageLimits& limits);

    /// The same without the events: how many, of at most `limit` (and those of the last one's number).
    WindowCounts count(std::int64_t after, std::int64_t upto, std::int64_t limit);

    /// One line about an event.
    std::string describe(std::int64_t seq);

private:
    template <class Ask>
    auto again(const Ask& ask);
    Page read_window(std::int64_t after, std::int64_t upto, const PageLimits& limits);
    WindowCounts count_window(std::int64_t after, std::int64_t upto, std::int64_t limit);
    [[nodiscard]] std::string distinct() const;
    [[nodiscard]] std::string order() const;
    void count_beside(WindowCounts& counts, std::int64_t after);
    [[nodiscard]] std::int64_t window_end(std::int64_t after, std::int64_t upto) const;
    void fit_window(std::size_t found, bool whole, std::size_t wanted);
    std::int64_t skip_gap(std::int64_t after, std::int64_t upto);
    std::vector<StoredEvent> stored(const Condition& where, std::size_t most);

    std::function<postgres::Connection()> open_;
    std::optional<postgres::Connection> connection_;
    HistoryFilter filter_;
    milliseconds timeout_;
    std::int64_t window_ = 5'000;
    double expansion_ = 10; ///< of content in memory, as the last was
};

} // namespace outbox::store
