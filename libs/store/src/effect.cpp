#include "effect.hpp"

#include "outbox/store/sql.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace outbox::store {
namespace {

using postgres::Statement;

/// Ordinary triggers that see a row before it is updated, ours left out.
constexpr Statement find_culprits{
    "outbox_find_culprits",
    "SELECT string_agg(quote_ident(t.tgname), ', ' ORDER BY t.tgname),"
    " string_agg(format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass), ' ' ORDER BY t.tgname)"
    " FROM pg_trigger AS t WHERE t.tgrelid = to_regclass('outbox_events') AND NOT t.tgisinternal"
    " AND t.tgenabled <> 'D' AND t.tgtype & 19 = 19 AND t.tgname NOT IN ('outbox_refuse_change')"};

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

const Statement find_unsent{
    "outbox_find_still_unsent",
    "SELECT o.id FROM unnest($1::uuid[], $2::bigint[]) AS m(id, seq) JOIN outbox_events AS o"
    " ON o.id = m.id AND o.seq = m.seq WHERE " OUTBOX_STILL_UNSENT " LIMIT 1"};

const Statement find_not_failed{"outbox_find_not_failed",
                                "SELECT o.id FROM unnest($1::uuid[], $2::boolean[]) AS m(id, given_up) JOIN "
                                "outbox_events AS o ON o.id = m.id"
                                " WHERE o.status = 'PROCESSING' OR (m.given_up AND " OUTBOX_STILL_UNSENT
                                ") LIMIT 1"};

const Statement find_processing{
    "outbox_find_processing",
    "SELECT o.id FROM outbox_events AS o WHERE o.id = ANY ($1::uuid[]) AND o.status = 'PROCESSING' LIMIT 1"};

const Statement find_as_claimed{
    "outbox_find_as_claimed",
    "SELECT o.id FROM unnest($1::uuid[], $2::tid[]) AS m(id, tid) JOIN outbox_events AS o"
    " ON o.id = m.id AND o.ctid = m.tid WHERE coalesce(o.status, 'NEW') = 'NEW' LIMIT 1"};

const Statement find_unsettled_ready{
    "outbox_find_unsettled_ready",
    "SELECT o.id FROM unnest($1::smallint[], $2::bigint[]) AS m(bucket, seq) JOIN outbox_events AS o"
    " ON o.bucket = m.bucket AND o.seq = m.seq WHERE " OUTBOX_READY " LIMIT 1"};

const Statement find_unsettled_waiting{
    "outbox_find_unsettled_waiting",
    "SELECT o.id FROM outbox_events AS o WHERE o.bucket = ANY ($1::smallint[])"
    " AND o.seq = ANY ($2::bigint[]) AND " OUTBOX_WAITING " LIMIT 1"};

void throw_without_effect(const Uuid& id, postgres::Connection& connection, milliseconds timeout) {
    const auto found = connection.run(find_culprits, {}, Deadline::in(timeout));
    throw Error(
        Action::stop,
        found.is_null(0, 0)
            ? fmt::format("what relays write to event {} of outbox_events has no effect: look for what "
                          "cancels or undoes its updates",
                          id.to_string())
            : fmt::format("trigger {} on outbox_events cancels or undoes what relays write, so event {} "
                          "cannot be marked: type {} or let it RETURN NEW as it came",
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
