// Reads events that are done, for replays, without disturbing who writes. Every statement looks at a
// window of numbers and is short, so no snapshot holds up vacuum and a replica does not have to end it
// often. The window grows and shrinks with what is found. A page is planned by sizes before its content
// is read, because one number may hold megabytes and memory is bounded.

#include "outbox/store/history.hpp"

#include "outbox/store/archive.hpp"
#include "outbox/store/lag.hpp"
#include "outbox/store/texts.hpp"
#include "rows.hpp"

#include <outbox/store/sql/history.hpp>

#include <poll.h>

#include <algorithm>
#include <numeric>

namespace outbox::store {
namespace {

using postgres::Format;
using postgres::Params;
using postgres::Result;

// Numbers that one statement looks at. The index tells pages only, so all that lie in a window are read and
// sorted.
constexpr std::int64_t least_window = 1'000;
constexpr std::int64_t most_window = 50'000;
constexpr std::int64_t shortest_window = 10; // of statements that took too long, as over very large events

constexpr auto query_canceled = "57014";

constexpr int most_conflicts = 20; // in a row, a tenth of a second apart
constexpr int most_refusals = 3;   // of a new session, which may be ended in its beginning as well

// Before the first ANALYZE the planner takes the index on seq for useless. One processor is enough for a
// window.
constexpr auto session_settings =
    "SET enable_seqscan = off; SET jit = off; SET max_parallel_workers_per_gather = 0";

/// Adds conditions with their parameters, numbered as they come.
class Builder {
public:
    void add(const char* sql) { append(sql); }
    void add(const char* pattern, postgres::Param value) {
        condition_.params.push_back(std::move(value));
        append(fmt::format(fmt::runtime(pattern), condition_.params.size()));
    }
    void add_if(const char* pattern, const std::optional<std::string>& value) {
        if (value) {
            add(pattern, *value);
        }
    }
    Condition take() { return std::move(condition_); }

private:
    void append(const std::string& sql) { condition_.sql += condition_.sql.empty() ? sql : " AND " + sql; }

    Condition condition_;
};

/// Ids as an array.
std::string strings_of(const std::vector<Uuid>& ids) {
    return array_of(ids, [](std::string& text, const Uuid& id) { text += id.to_string(); });
}

constexpr std::size_t small = 2'000; // PostgreSQL compresses nothing less

/// That large events keep in memory.
std::size_t large_bytes(const std::vector<Row>& rows) {
    return std::accumulate(rows.begin(), rows.end(), std::size_t{0}, [](std::size_t sum, const Row& row) {
        return sum + (row.bytes() > small ? row.bytes() : 0);
    });
}

} // namespace

PagePlan plan_page(const std::vector<StoredEvent>& events, const PageLimits& limits, double expansion) {
    PagePlan plan;
    double room = static_cast<double>(limits.bytes);
    const bool more = events.size() > limits.rows; // so the last number may have events that are not here
    for (std::size_t i = 0; i < events.size();) {
        std::int64_t large = 0;
        double bytes = 0;
        std::size_t next = i;
        for (; next < events.size() && events[next].seq == events[i].seq; ++next) {
            const std::int64_t stored = events[next].bytes;
            const bool is_large = static_cast<std::size_t>(stored) > small;
            large += is_large ? stored : 0;
            bytes += is_large ? static_cast<double>(stored) * expansion : static_cast<double>(stored);
        }
        const bool fits = bytes <= room && !(more && next == events.size());
        if (!fits && i > 0) {
            plan.whole = false;
            return plan;
        }
        plan.through = events[i].seq;
        plan.large_bytes += large;
        room -= bytes;
        i = next;
    }
    plan.whole = !more;
    return plan;
}

double next_expansion(double last, std::int64_t stored, std::size_t in_memory) {
    constexpr double least = 2;
    constexpr double most = 100; // PostgreSQL's own compression does no better
    const double now = stored > 0 ? static_cast<double>(in_memory) / static_cast<double>(stored) : 0;
    return std::clamp(std::max(now, last / 2), least, most);
}

Condition condition(const HistoryFilter& filter, std::int64_t after, std::int64_t upto) {
    // `unsent` is a generated column with an index of its own; what is not unsent is done.
    Builder builder;
    builder.add("NOT o.unsent");
    builder.add("o.seq > ${}", after);
    builder.add("o.seq <= ${}", upto);
    builder.add("o.status = ANY (${}::text[])", texts(filter.statuses));
    if (const auto waiting = ranges_within(filter.waiting, after, upto); !waiting.empty()) {
        builder.add("NOT (o.seq <@ ${}::int8multirange)", ranges_text(waiting));
    }
    builder.add_if("(o.processed_at IS NULL OR o.processed_at <= ${}::timestamptz)", filter.done_by);
    builder.add_if("o.aggregate_type = ${}", filter.aggregate_type);
    builder.add_if("o.aggregate_id = ${}", filter.aggregate_id);
    builder.add_if("o.event_type = ${}", filter.event_type);
    builder.add_if("o.created_at >= ${}::timestamptz", filter.since);
    builder.add_if("o.created_at < ${}::timestamptz", filter.until);
    if (!filter.ids.empty()) {
        builder.add("o.id = ANY (${}::uuid[])", strings_of(filter.ids));
    }
    return builder.take();
}

/// A replica that replays the end of what a statement of its own could still see ends the statement, or the
/// session ("conflict with recovery"). A shorter statement is over sooner.
template <class Ask>
auto History::again(const Ask& ask) {
    for (int conflicts = 1;; ++conflicts) {
        try {
            if (!connection_ || !connection_->usable()) {
                connection_.reset();
                connection_ = open_();
                connection_->script(session_settings, Deadline::in(timeout_));
            }
            return ask();
        } catch (const postgres::DatabaseError& error) {
            const bool ended = error.sqlstate().starts_with("40") || error.sqlstate() == query_canceled ||
                               !connection_ || !connection_->usable();
            if (!ended || conflicts > (connection_ ? most_conflicts : most_refusals)) {
                throw;
            }
        }
        window_ = std::max(window_ / 4, shortest_window);
        poll(nullptr, 0, 100);
    }
}

void History::connect() {
    again([] {});
}

milliseconds History::lag() {
    return again([&] { return replica_lag(*connection_, timeout_); });
}

/// Both places are read by one statement, so a row that is moved by one transaction is in one of them; one
/// that is copied first and deleted later may be in both.
std::string History::distinct() const {
    return filter_.archived.empty() ? "" : "DISTINCT ON (o.seq, o.id)";
}

std::string History::order() const {
    return filter_.archived.empty() ? "o.seq" : "o.seq, o.id";
}

/// Named events are found by their primary key, so they need no window.
std::int64_t History::window_end(std::int64_t after, std::int64_t upto) const {
    return filter_.ids.empty() && upto - after > window_ ? after + window_ : upto;
}

/// A full page came from a part of its window, an emptier one could have looked further.
void History::fit_window(std::size_t found, bool whole, std::size_t wanted) {
    if (!whole) {
        window_ = std::max(window_ / 2, least_window);
    } else if (found < wanted / 2) {
        window_ = std::min(window_ * 2, most_window);
    }
}

/// Where nothing was found: numbers that were never given out, or were deleted, are stepped over in long
/// strides.
std::int64_t History::skip_gap(std::int64_t after, std::int64_t upto) {
    // Doubled at most, and never beyond what is left: without a filter `upto` is the largest number there is.
    for (std::int64_t stride = most_window; after < upto; stride += std::min(stride, upto - after)) {
        const std::int64_t end = after + std::min(stride, upto - after);
        const Result next =
            connection_->query(filled(sql::next_done, {{"events", events_with(filter_.archived)}}),
                               {after, end}, Deadline::in(timeout_));
        if (!next.is_null(0, 0)) {
            return next.integer(0, 0) - 1;
        }
        after = end;
    }
    return upto;
}

/// What the next events take, without reading them.
std::vector<StoredEvent> History::stored(const Condition& where, std::size_t most) {
    const std::string statement = filled(sql::read_sizes, {{"distinct", distinct()},
                                                           {"events", events_with(filter_.archived)},
                                                           {"condition", where.sql},
                                                           {"order", order()},
                                                           {"limit", std::to_string(most)}});
    const Result found = connection_->query(statement, where.params, Deadline::in(timeout_));
    std::vector<StoredEvent> events;
    for (int i = 0; i < found.rows(); ++i) {
        events.push_back({found.integer(i, 0), found.integer(i, 1)});
    }
    return events;
}

Page History::read(std::int64_t after, std::int64_t upto, const PageLimits& limits) {
    return again([&] { return read_window(after, upto, limits); });
}

/// First how large the next events are, then as many of them as there is room for. Between the two only
/// deletions change what is done.
Page History::read_window(std::int64_t after, std::int64_t upto, const PageLimits& limits) {
    const std::int64_t end = window_end(after, upto);
    const auto events = stored(condition(filter_, after, end), limits.rows + 1);
    Page page;
    page.through = end;
    if (events.empty()) {
        fit_window(0, true, limits.rows);
        page.through = std::max(page.through, skip_gap(page.through, upto));
        return page;
    }
    const PagePlan plan = plan_page(events, limits, expansion_);
    const Condition where = condition(filter_, after, plan.through);
    const std::string statement = filled(sql::read_history, {{"distinct", distinct()},
                                                             {"events", events_with(filter_.archived)},
                                                             {"condition", where.sql},
                                                             {"order", order()}});
    add_rows(page.found, connection_->query(statement, where.params, Deadline::in(timeout_), Format::binary));
    expansion_ = next_expansion(expansion_, plan.large_bytes, large_bytes(page.found.rows));
    page.through = plan.whole ? end : plan.through;
    fit_window(page.found.rows.size(), plan.whole, limits.rows);
    return page;
}

WindowCounts History::count(std::int64_t after, std::int64_t upto, std::int64_t limit) {
    return again([&] { return count_window(after, upto, limit); });
}

WindowCounts History::count_window(std::int64_t after, std::int64_t upto, std::int64_t limit) {
    WindowCounts counts;
    counts.through = window_end(after, upto);
    const Condition where = condition(filter_, after, counts.through);
    const Result found =
        connection_->query(filled(sql::count_done, {{"distinct", distinct()},
                                                    {"events", events_with(filter_.archived)},
                                                    {"condition", where.sql},
                                                    {"order", order()},
                                                    {"limit", std::to_string(limit)}}),
                           where.params, Deadline::in(timeout_));
    for (int i = 0; i < found.rows(); ++i) {
        counts.counts.push_back({found.text(i, 0), found.text(i, 1), found.text(i, 2), found.text(i, 3),
                                 found.integer(i, 4), found.integer(i, 5)});
        counts.events += found.integer(i, 4);
        counts.first = i == 0 ? found.integer(i, 6) : std::min(counts.first, found.integer(i, 6));
        counts.last = std::max(counts.last, found.integer(i, 7));
    }
    count_beside(counts, after);
    // Counting reads no content, so its windows only grow.
    window_ = std::min(window_ * 2, most_window);
    if (counts.events == 0) {
        counts.through = std::max(counts.through, skip_gap(counts.through, upto));
    }
    return counts;
}

/// What has to be said beside the counts.
void History::count_beside(WindowCounts& counts, std::int64_t after) {
    const auto ask = [&](const std::string& sql, const Condition& where) {
        return connection_->query(sql, where.params, Deadline::in(timeout_)).integer(0, 0);
    };
    if (filter_.since || filter_.until) {
        HistoryFilter untimed = filter_;
        untimed.since.reset();
        untimed.until.reset();
        const Condition where = condition(untimed, after, counts.through);
        counts.untimed =
            ask(filled(sql::count_history, {{"events", events_with(filter_.archived)},
                                            {"condition", where.sql + " AND o.created_at IS NULL"}}),
                where);
    }
    if (!filter_.archived.empty()) {
        const Condition where = condition(filter_, after, counts.through);
        counts.twice =
            ask(filled(sql::count_twice, {{"archived", filter_.archived}, {"condition", where.sql}}), where);
    }
}

std::string History::describe(std::int64_t seq) {
    const Result found = again([&] {
        return connection_->query(filled(sql::describe_event, {{"events", events_with(filter_.archived)}}),
                                  {seq}, Deadline::in(timeout_));
    });
    return found.empty() ? "gone" : found.text(0, 0);
}

} // namespace outbox::store
