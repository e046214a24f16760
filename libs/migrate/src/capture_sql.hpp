#pragma once

#include <outbox/migrate/mapping.hpp>
#include <outbox/migrate/migration.hpp>

#include <tl/expected.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::migrations {

/// A column of the user's table, as the catalogue has it.
struct Column {
    std::string type; ///< "character varying", without a length
    bool nullable = false;
    bool is_virtual = false;  ///< generated when it is read: NULL in triggers
    bool may_be_long = false; ///< its text may have more characters than a column of ours takes
};
using Columns = std::map<std::string, Column, std::less<>>;

/// How rows of the user's table become rows of outbox_events.
struct CaptureSql {
    std::string id;          ///< the column of the user's table, quoted
    std::string targets;     ///< columns of outbox_events
    std::string values;      ///< what goes into them, of a row called n
    std::string misfits;     ///< conditions, each after an OR, for a row v of the targets that makes no event
    bool pinned = false;     ///< needs the settings of `pins`, or texts depend on who writes
    std::string order;       ///< of rows that stand already, oldest first
    std::string description; ///< "id=id aggregate_type=aggregatetype ..."
    std::vector<std::string> notices; ///< which inserts will be refused; one line each
};

/// How char(n) becomes text.
enum class Blanks {
    cut, ///< as PostgreSQL converts it
    kept ///< padded, as Debezium reads it
};

/// Settings that texts of dates, intervals, floats, bytes and money follow, as name and value.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 6> pins{
    {{"DateStyle", "ISO, MDY"},
     {"IntervalStyle", "postgres"},
     {"TimeZone", "UTC"},
     {"extra_float_digits", "1"},
     {"bytea_output", "hex"},
     {"lc_monetary", "C"}}};

/// Pure. @return a refusal for a column that is missing, or of a type that makes no event.
tl::expected<CaptureSql, Refusal> capture_sql(const Mapping& mapping, const Columns& columns,
                                              Blanks blanks = Blanks::cut);

/// Of the key (aggregate_id or partition_key) what Debezium writes in another way than as text; nullopt: it
/// is text there too.
std::optional<std::string> key_unlike_debeziums(const Mapping& mapping, const Columns& columns);

/// `text` as an SQL literal.
std::string literal(std::string_view text);

} // namespace outbox::migrations
