#pragma once

#include <outbox/store/row.hpp>

#include <fmt/format.h>

#include <iterator>
#include <string>

namespace outbox::store {

// Classes of two-key advisory locks. The doorbell's also stands in migrations/0003_relay.up.sql.
inline constexpr int doorbell_locks = 1868693505; ///< key: bucket
inline constexpr int shard_locks = 1868693506;    ///< key: shard
inline constexpr int relay_locks = 1868693507;    ///< key: outbox_relays.lock_key

/// The predicate of the indexes on unsent rows; must stay textually equal to the migrations'.
#define OUTBOX_UNSENT "coalesce(o.status, 'NEW') IN ('NEW', 'PROCESSING')"

/// A relay is alive while its lease runs and its session stands. Right after a restart of the server, when
/// every session is new, the lease alone counts.
#define OUTBOX_RELAY_ALIVE                                                                                   \
    "(r.heartbeat_at > clock_timestamp() - r.lease"                                                          \
    " AND (pg_postmaster_start_time() > clock_timestamp() - interval '3 seconds'"                            \
    " OR EXISTS (SELECT 1 FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.classid = 1868693507"       \
    " AND l.objid = r.lock_key::oid AND l.objsubid = 2 AND l.granted"                                        \
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))))"

/// '{1,2,3}' from anything whose elements fmt can print through `print`.
template <class Range, class Print>
std::string array_of(const Range& range, Print print) {
    std::string text = "{";
    for (const auto& element : range) {
        if (text.size() > 1) {
            text += ',';
        }
        print(text, element);
    }
    text += '}';
    return text;
}

template <class Range>
std::string numbers(const Range& range) {
    return array_of(range, [](std::string& text, auto number) {
        fmt::format_to(std::back_inserter(text), "{}", number);
    });
}

inline void print_tid(std::string& text, const Tid& tid) {
    fmt::format_to(std::back_inserter(text), "\"({},{})\"", tid.block, tid.offset);
}

/// An array of text; quotes and backslashes are escaped.
template <class Range>
std::string texts(const Range& range) {
    return array_of(range, [](std::string& text, const auto& element) {
        text += '"';
        for (const char c : std::string_view(element)) {
            if (c == '"' || c == '\\') {
                text += '\\';
            }
            text += c;
        }
        text += '"';
    });
}

} // namespace outbox::store
