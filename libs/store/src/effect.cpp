// What is done when an update had no effect. A row that stays PROCESSING although it was marked SENT
// would be sent again by the next recovery, so the shard stops, with the trigger's name.

#include "effect.hpp"

#include <outbox/core/error.hpp>
#include <outbox/store/sql/effect.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace outbox::store {
namespace {

/// Moves the rows out of which `chosen` holds, in their order.
template <class Chosen>
std::vector<Row> take(RowSet& claimed, Chosen chosen) {
    std::vector<Row> taken;
    std::copy_if(claimed.rows.begin(), claimed.rows.end(), std::back_inserter(taken), chosen);
    if (!taken.empty()) {
        std::erase_if(claimed.rows, chosen);
    }
    return taken;
}

} // namespace

void throw_without_effect(const Uuid& id, postgres::Connection& connection, milliseconds timeout) {
    const auto found = connection.run(sql::find_culprits, {}, Deadline::in(timeout));
    throw Error(
        Action::stop,
        found.is_null(0, 0)
            ? fmt::format("what relays write to event {} of outbox_events has no effect: look for what "
                          "cancels or undoes its updates",
                          id.to_string())
            : fmt::format("trigger {} on outbox_events cancels or undoes what relays write, so event {} "
                          "cannot be marked: type {} or let it return the row as it came",
                          found.text(0, 0), id.to_string(), found.text(0, 1)));
}

std::vector<Row> take_missed(RowSet& claimed, const std::unordered_map<std::int64_t, Tid>& where) {
    for (Row& row : claimed.rows) {
        if (const auto found = where.find(row.seq); found != where.end()) {
            row.tid = found->second;
        }
    }
    return take(claimed, [&](const Row& row) { return !where.contains(row.seq); });
}

std::vector<Row> take_followers(RowSet& claimed, const std::vector<Row>& missed) {
    std::unordered_map<std::string_view, std::int64_t> first;
    for (const Row& row : missed) {
        const auto [known, added] = first.emplace(row.key, row.seq);
        known->second = std::min(known->second, row.seq);
    }
    return take(claimed, [&](const Row& row) {
        const auto found = first.find(row.key);
        return found != first.end() && row.seq > found->second;
    });
}

} // namespace outbox::store
