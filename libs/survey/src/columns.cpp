// Judges the columns of outbox_events: is each there that a relay reads or writes, with a type that
// fits, long enough, and writable? A finding names the statement that mends it. Where that statement
// loses nothing, `outbox-migrate up --convert` may run it; where it might, a person decides.

#include "columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace outbox::survey {
namespace {

/// What a column must be able to hold; several types of PostgreSQL may do for one kind.
enum class Kind { uuid, text, json, instant, time, whole, truth, bytes };

/// A column that a relay reads or writes.
struct Wanted {
    std::string_view name;
    Kind kind;
    std::string_view type; ///< as the migrations make it
    int shortest = 0;      ///< characters that it must take
    bool written = false;  ///< by relays
    bool nulled = false;   ///< relays write NULL as well
};

/// The columns that the README publishes for writers.
constexpr auto published = std::to_array<Wanted>({
    {"id", Kind::uuid, "uuid"},
    {"aggregate_type", Kind::text, "varchar(255)"},
    {"aggregate_id", Kind::text, "varchar(255)"},
    {"event_type", Kind::text, "varchar(255)"},
    {"event_data", Kind::json, "jsonb"},
    {"status", Kind::text, "varchar(50)", 10, true},
    {"topic", Kind::text, "varchar(255)"},
    {"partition_key", Kind::text, "varchar(255)"},
    {"created_at", Kind::instant, "timestamptz"},
    {"processed_at", Kind::time, "timestamptz", 0, true, true},
    {"retry_count", Kind::whole, "integer", 0, true},
    {"max_retries", Kind::whole, "integer"},
    {"error_message", Kind::text, "text", 1 << 30, true, true},
});

/// The columns that the migrations add for relays.
constexpr auto added = std::to_array<Wanted>({
    {"seq", Kind::whole, "bigint"},
    {"bucket", Kind::whole, "smallint"},
    {"unsent", Kind::truth, "boolean"},
    {"headers", Kind::json, "jsonb"},
    {"next_attempt_at", Kind::instant, "timestamptz", 0, true, true},
    {"kafka_partition", Kind::whole, "integer", 0, true, true},
    {"kafka_offset", Kind::whole, "bigint", 0, true, true},
    {"failed", Kind::truth, "boolean"},
    {"tombstone", Kind::truth, "boolean"},
    {"payload", Kind::bytes, "bytea"},
    {"content_type", Kind::text, "varchar(255)"},
});

template <std::size_t N>
bool one_of(std::string_view type, const std::array<std::string_view, N>& types) {
    return std::find(types.begin(), types.end(), type) != types.end();
}

/// Whether what relays read and write finds a place in a column of this type.
bool fits(Kind kind, std::string_view type) {
    switch (kind) {
    case Kind::uuid:
        return type == "uuid";
    case Kind::text:
        return type == "text" || type == "character varying";
    case Kind::json:
        return type == "jsonb" || type == "json";
    case Kind::instant:
        return type == "timestamp with time zone";
    case Kind::time:
        return type == "timestamp with time zone" || type == "timestamp without time zone";
    case Kind::whole:
        return type == "smallint" || type == "integer" || type == "bigint";
    case Kind::truth:
        return type == "boolean";
    case Kind::bytes:
        return type == "bytea";
    }
    return false;
}

/// Types whose every value can become text and come back, so that nothing is lost by a conversion.
bool is_text_like(const Column& column) {
    constexpr auto lossless =
        std::to_array<std::string_view>({"text", "character varying", "character", "citext", "name", "uuid",
                                         "smallint", "integer", "bigint", "numeric"});
    return column.is_enum || one_of(column.type, lossless);
}

/// The type as a person writes it, with its length.
std::string type_of(const Column& column) {
    return column.length > 0 ? fmt::format("{}({})", column.type, column.length) : column.type;
}

/// The column as PostgreSQL has it, changed. @return the mend, and whether nothing is lost by it
std::pair<std::string, bool> conversion(const std::string& table, const Column& column,
                                        const Wanted& wanted) {
    const auto alter = [&](std::string_view type, const std::string& value) {
        return fmt::format("ALTER TABLE {0} {1}ALTER COLUMN {2} TYPE {3} USING {4};", table,
                           column.has_default ? fmt::format("ALTER COLUMN {} DROP DEFAULT, ", column.name)
                                              : "",
                           column.name, type, value);
    };
    const bool text_like = is_text_like(column);
    switch (wanted.kind) {
    case Kind::text:
        return {
            alter(wanted.shortest > 255 || !column.is_enum ? "text" : wanted.type, column.name + "::text"),
            text_like};
    case Kind::uuid:
        if (text_like && column.type != "smallint" && column.type != "integer" && column.type != "bigint" &&
            column.type != "numeric") {
            return {alter("uuid", column.name + "::text::uuid"), true};
        }
        return {
            fmt::format("ALTER TABLE {0} RENAME COLUMN id TO old_id; ALTER TABLE {0} ADD COLUMN id uuid NOT "
                        "NULL DEFAULT gen_random_uuid() UNIQUE;",
                        table),
            false};
    case Kind::json:
        return {alter("jsonb", column.name + "::text::jsonb"),
                column.type == "text" || column.type == "character varying" || column.type == "character"};
    case Kind::instant:
    case Kind::time:
        if (column.type == "timestamp without time zone") {
            return {alter("timestamptz", column.name + " AT TIME ZONE 'UTC'") +
                        " (with the time zone that its writers meant)",
                    false};
        }
        break;
    case Kind::whole:
    case Kind::truth:
        break;
    case Kind::bytes:
        return {alter("bytea", fmt::format("convert_to({}::text, 'UTF8')", column.name)), false};
    }
    return {alter(wanted.type, fmt::format("{}::text::{}", column.name, wanted.type)), false};
}

/// Judges one table, column by column. A table of Debezium's outbox is told as such, and nothing else
/// is said.
class Columns {
public:
    explicit Columns(const Facts& facts) : facts_(facts), table_(facts.events->name) {}

    std::vector<Finding> judge() {
        if (of_debezium()) {
            return std::move(findings_);
        }
        for (const Wanted& wanted : published) {
            check(wanted);
        }
        for (const Wanted& wanted : added) {
            if (facts_.ours && wanted.name == "failed" && !facts_.marks_failed) {
                continue; // `up` is about to add it
            }
            if (facts_.ours && !comes_later(wanted.name)) {
                check(wanted);
            } else if (find(wanted.name) != nullptr) {
                refuse(wanted.name, "is a name that the outbox needs for a column of its own",
                       fmt::format("ALTER TABLE {} RENAME COLUMN {} TO old_{};", table_, wanted.name,
                                   wanted.name));
            }
        }
        for (const Column& column : facts_.columns) {
            check_other(column);
        }
        return std::move(findings_);
    }

private:
    [[nodiscard]] const Column* find(std::string_view name) const {
        const auto found = std::find_if(facts_.columns.begin(), facts_.columns.end(),
                                        [name](const Column& column) { return column.name == name; });
        return found == facts_.columns.end() ? nullptr : &*found;
    }

    /// `up` is about to add it, so one that stands there is the user's own.
    [[nodiscard]] bool comes_later(std::string_view name) const {
        return !facts_.holds_bytes && (name == "tombstone" || name == "payload" || name == "content_type");
    }

    void refuse(std::string_view column, const std::string& what, const std::string& mend,
                bool convertible = false) {
        findings_.push_back({Severity::refuse, fmt::format("column {} of {}", column, table_), what, mend,
                             convertible && !facts_.ours});
    }

    bool of_debezium() {
        const bool is = find("aggregatetype") != nullptr && find("aggregateid") != nullptr &&
                        find("aggregate_type") == nullptr;
        if (is) {
            findings_.push_back({Severity::refuse, table_,
                                 "has the columns of Debezium's outbox, not of this one",
                                 "let DB_SCHEMA name another schema for the outbox, and serve this table by "
                                 "a section [table] "
                                 "with schema and name in the file of --config",
                                 false});
        }
        return is;
    }

    void check(const Wanted& wanted) {
        const Column* const column = find(wanted.name);
        if (column == nullptr) {
            refuse(wanted.name, "is missing",
                   fmt::format("ALTER TABLE {} ADD COLUMN {} {};", table_, wanted.name, wanted.type),
                   wanted.name == "partition_key" || wanted.name == "processed_at" ||
                       wanted.name == "retry_count" || wanted.name == "max_retries" ||
                       wanted.name == "error_message" || wanted.name == "created_at");
            return;
        }
        if (!fits(wanted.kind, column->type) || column->is_enum) {
            const auto [mend, safe] = conversion(table_, *column, wanted);
            refuse(wanted.name, fmt::format("is {}, and it must be {}", type_of(*column), wanted.type), mend,
                   safe);
            return;
        }
        if (column->length > 0 && column->length < wanted.shortest) {
            refuse(wanted.name, fmt::format("is {}, too short for what relays write", type_of(*column)),
                   fmt::format("ALTER TABLE {} ALTER COLUMN {} TYPE {};", table_, wanted.name, wanted.type),
                   true);
        }
        if (wanted.nulled && column->not_null) {
            refuse(wanted.name, "is NOT NULL, and relays write NULL",
                   fmt::format("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL;", table_, wanted.name), true);
        }
        check_generated(wanted, *column);
    }

    /// A generated column cannot be written, nor be what our own generated columns are made of; a virtual one
    /// reads NULL in triggers.
    void check_generated(const Wanted& wanted, const Column& column) {
        const bool source = wanted.name == "aggregate_id" || wanted.name == "partition_key";
        if (column.generated == '\0' || wanted.name == "bucket" || wanted.name == "unsent" ||
            wanted.name == "failed") {
            return;
        }
        if (wanted.written || source || column.generated == 'v') {
            refuse(wanted.name,
                   fmt::format("is a {}generated column", column.generated == 'v' ? "virtual " : ""),
                   column.generated == 'v'
                       ? fmt::format("ALTER TABLE {0} DROP COLUMN {1}; and ADD COLUMN {1} {2};", table_,
                                     wanted.name, wanted.type)
                       : fmt::format("ALTER TABLE {} ALTER COLUMN {} DROP EXPRESSION;", table_, wanted.name));
        }
    }

    /// The user's own: only writers who know it can insert.
    void check_other(const Column& column) {
        const auto known = [&](const auto& wanted) { return wanted.name == column.name; };
        if (!column.not_null || column.has_default || column.generated != '\0' ||
            std::any_of(published.begin(), published.end(), known) ||
            std::any_of(added.begin(), added.end(), known)) {
            return;
        }
        findings_.push_back(
            {Severity::warn, fmt::format("column {} of {}", column.name, table_),
             "is NOT NULL without a default, so only writers that name it can insert events",
             fmt::format("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT ...;", table_, column.name), false});
    }

    const Facts& facts_;
    const std::string& table_;
    std::vector<Finding> findings_;
};

} // namespace

std::vector<Finding> judge_columns(const Facts& facts) {
    return Columns(facts).judge();
}

} // namespace outbox::survey
