// How a row of the user's table becomes a row of outbox_events, as SQL. Every column is converted by
// its type, or refused by name with the types that would do. Texts must not depend on who writes:
// dates, floats and money look different under different settings, so functions that need them are
// pinned to fixed ones.

#include "capture_sql.hpp"

#include "server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace outbox::migrations {
namespace {

/// Types whose values are text already.
bool is_text(std::string_view type) {
    return type == "text" || type == "character varying" || type == "character";
}

/// Whether its text is the same whoever asks.
bool is_plain(std::string_view type) {
    constexpr auto plain = std::to_array<std::string_view>(
        {"uuid", "smallint", "integer", "bigint", "numeric", "boolean", "name"});
    return is_text(type) || std::ranges::find(plain, type) != plain.end();
}

/// `n` is the column of the row. @return what outbox_events gets of it, nullopt: not this type
using Convert = std::optional<std::string> (*)(const std::string& n, std::string_view type, Blanks blanks);

/// An id: a uuid, or text that holds one.
std::optional<std::string> uuid_of(const std::string& n, std::string_view type, Blanks) {
    return type == "uuid"  ? std::optional(n)
           : is_text(type) ? std::optional(n + "::text::uuid")
                           : std::nullopt;
}

/// Any type but bytes has a text. char(n) loses its padding or keeps it, as Debezium does.
std::optional<std::string> text_of(const std::string& n, std::string_view type, Blanks blanks) {
    if (type == "bytea") {
        return std::nullopt;
    }
    // concat() takes what the type prints; a cast to text takes the blanks off.
    return blanks == Blanks::kept && type == "character"
               ? fmt::format("CASE WHEN {} IS NOT NULL THEN concat({}) END", n, n)
               : n + "::text";
}

/// Of what [table] says the type of.
std::optional<std::string> bytes_of(const std::string& n, std::string_view type) {
    return type == "bytea" ? std::optional(n)
           : type == "json" || type == "jsonb" || is_text(type)
               ? std::optional(fmt::format("convert_to({}::text, 'UTF8')", n))
               : std::nullopt;
}

/// JSON: jsonb as it is, json and text through a cast that refuses what is none.
std::optional<std::string> json_of(const std::string& n, std::string_view type, Blanks) {
    return type == "jsonb"                   ? std::optional(n)
           : type == "json" || is_text(type) ? std::optional(n + "::text::jsonb")
                                             : std::nullopt;
}

/// A time: with zone as it is, without one as UTC, a whole number as milliseconds since 1970.
std::optional<std::string> time_of(const std::string& n, std::string_view type, Blanks) {
    if (type == "timestamp with time zone") {
        return n;
    }
    if (type == "timestamp without time zone") {
        return n + " AT TIME ZONE 'UTC'";
    }
    return type == "bigint" ? std::optional(fmt::format("to_timestamp({} / 1000.0)", n)) : std::nullopt;
}

/// A column of outbox_events, and which of the user's it is filled from.
struct Part {
    std::string_view target;
    std::optional<std::string> source; ///< nullopt: none
    Convert convert;
    std::string_view allowed; ///< types, for people
    bool required;
};

/// The columns of outbox_events that [table] fills, in the order in which they are written.
std::array<Part, 8> parts_of(const Mapping& mapping) {
    return {{{"id", mapping.id, uuid_of, "uuid, or text that holds UUIDs", true},
             {"aggregate_type", mapping.aggregate_type, text_of, "text", true},
             {"aggregate_id", mapping.aggregate_id, text_of, "text, or what can be written as text", true},
             {"event_type", mapping.event_type, text_of, "text", true},
             {"event_data", mapping.event_data, json_of, "jsonb, json, or text that holds JSON", true},
             {"partition_key", mapping.partition_key, text_of, "text, or what can be written as text", false},
             {"headers", mapping.headers, json_of, "jsonb, json, or text that holds JSON", false},
             {"created_at", mapping.created_at, time_of,
              "timestamptz, timestamp (UTC), or bigint (milliseconds since 1970)", false}}};
}

/// The user's column in the row that the trigger sees.
std::string of_row(const std::string& column) {
    return "n." + quoted(column);
}

/// Builds the texts for one table; the first thing that does not fit ends it with a refusal.
class Builder {
public:
    Builder(const Mapping& mapping, const Columns& columns, Blanks blanks)
        : mapping_(mapping),
          columns_(columns),
          blanks_(blanks) {}

    tl::expected<CaptureSql, Refusal> build() {
        sql_.id = quoted(mapping_.id);
        sql_.order = "n.tableoid, n.ctid";
        for (const Part& part : parts_of(mapping_)) {
            if (part.target == "event_data") {
                add_value(part);
            } else if (part.source) {
                add(part);
            }
        }
        add_topic();
        sql_.targets += more_targets_;
        sql_.values += more_values_;
        if (refusal_.empty()) {
            return std::move(sql_);
        }
        return tl::unexpected(Refusal{std::move(refusal_)});
    }

private:
    /// The column of that name; null, and a refusal, when it is missing or cannot be read in a
    /// trigger.
    const Column* find(const std::string& name) {
        const auto found = columns_.find(name);
        if (found == columns_.end()) {
            refuse(fmt::format("has no column {}", quoted(name)));
            return nullptr;
        }
        if (found->second.is_virtual) {
            refuse(fmt::format(
                "cannot be served: its column {0} is a virtual generated column, which triggers read as "
                "NULL: make it a STORED one (ALTER TABLE {1}.{2} DROP COLUMN {0}; and ADD COLUMN ... "
                "GENERATED ALWAYS AS (...) STORED), or name another in [table]",
                quoted(name), quoted(mapping_.schema), quoted(mapping_.name)));
            return nullptr;
        }
        return &found->second;
    }

    /// Keeps the first refusal: the others may follow from it.
    void refuse(const std::string& why) {
        if (refusal_.empty()) {
            refusal_ = fmt::format("{}.{} {}", quoted(mapping_.schema), quoted(mapping_.name), why);
        }
    }

    /// One column of outbox_events from one of the user's.
    void add(const Part& part) {
        const Column* const column = find(*part.source);
        if (column == nullptr) {
            return;
        }
        // Topics are named after the aggregate's type, and blanks are nothing for those.
        const Blanks blanks = part.target == "aggregate_type" ? Blanks::cut : blanks_;
        auto value = part.convert(of_row(*part.source), column->type, blanks);
        if (!value) {
            refuse_type(part, *column, part.allowed);
            return;
        }
        note(part, *column);
        note_length(*part.source, *column, part.convert == &text_of);
        sql_.pinned = sql_.pinned || (part.convert == &text_of && !is_plain(column->type));
        if (part.target == "created_at") {
            sql_.order = fmt::format("{} NULLS FIRST, {}", *value, sql_.order);
            value = fmt::format("coalesce({}, CURRENT_TIMESTAMP)", *value);
        }
        put(part.target, *value, *part.source);
    }

    void refuse_type(const Part& part, const Column& column, std::string_view allowed) {
        refuse(fmt::format("cannot be served: its column {} ({} of [table]) is {}, and it must be {}",
                           quoted(*part.source), part.target, column.type, allowed));
    }

    /// What the record's value is made of. Where [table] says its type, it is sent byte for byte.
    void add_value(const Part& part) {
        const Column* const column = find(*part.source);
        if (column == nullptr) {
            return;
        }
        const std::string n = of_row(*part.source);
        auto value =
            mapping_.content_type ? bytes_of(n, column->type) : part.convert(n, column->type, blanks_);
        if (!value) {
            refuse_type(part, *column,
                        mapping_.content_type
                            ? "bytea, json, jsonb or text"
                            : fmt::format("{}; bytea where content_type of [table] says what it holds",
                                          part.allowed));
            return;
        }
        if (mapping_.content_type) {
            put(part.target, "'null'::jsonb", *part.source);
            put_more("payload", *value);
            add_content_type(*mapping_.content_type, n);
        } else {
            note_json(part, *column);
            put(part.target, column->nullable ? fmt::format("coalesce({}, 'null'::jsonb)", *value) : *value,
                *part.source);
        }
        if (column->nullable) {
            put_more("tombstone", fmt::format("CASE WHEN {} IS NULL THEN true END", n));
        }
    }

    /// The media type of bytes: a constant, or a column of the row.
    void add_content_type(const std::string& type, const std::string& payload) {
        std::string value = literal(type);
        if (type.find('/') == std::string::npos) {
            const Column* const column = find(type);
            if (column == nullptr) {
                return;
            }
            value = of_row(type) + "::text";
            sql_.misfits += " OR length(v.content_type) > 255";
            note_length(type, *column, true);
        }
        put_more("content_type", fmt::format("CASE WHEN {} IS NOT NULL THEN {} END", payload, value));
        sql_.description += fmt::format(" content_type={}", type);
    }

    /// Says when a JSON column may be NULL or may hold what jsonb refuses.
    void note_json(const Part& part, const Column& column) {
        std::string text =
            column.nullable ? " may hold NULL: such a row is sent as a tombstone, a key without a value" : "";
        if (column.type != "jsonb") {
            text += fmt::format(
                "{} is {}: an insert will be refused when it holds no JSON that jsonb takes (\\u0000, "
                "half of a surrogate pair, a number beyond numeric, nested too deeply)",
                text.empty() ? "" : "; it", column.type);
        }
        if (!text.empty()) {
            sql_.notices.push_back(fmt::format("column {}{}", quoted(*part.source), text));
        }
    }

    /// What the catalogue cannot promise, each writer must keep.
    void note(const Part& part, const Column& column) {
        if (part.required && column.nullable) {
            note_nullable(*part.source);
        }
        if (part.target == "partition_key") {
            sql_.misfits += " OR length(v.partition_key) > 255";
        }
        if (part.target == "headers") {
            sql_.misfits += " OR jsonb_typeof(v.headers) <> 'object'";
            sql_.notices.push_back(
                fmt::format("column {}: an insert will be refused when it holds JSON that is no object",
                            quoted(*part.source)));
        }
        if (part.convert != &text_of && is_text(column.type)) {
            sql_.notices.push_back(
                fmt::format("column {} is {}: an insert will be refused when it holds no {}",
                            quoted(*part.source), column.type, part.convert == &uuid_of ? "UUID" : "JSON"));
        }
    }

    void note_length(const std::string& name, const Column& column, bool as_text) {
        if (as_text && column.may_be_long) {
            sql_.notices.push_back(fmt::format(
                "column {} is {}: an insert will be refused when it holds more than 255 characters",
                quoted(name), column.type));
        }
    }

    void note_nullable(const std::string& column) {
        sql_.notices.push_back(fmt::format(
            "column {} may hold NULL: an insert that leaves it so will be refused", quoted(column)));
    }

    /// The topic from its parts: constants and columns.
    void add_topic() {
        std::string value;
        std::string shown;
        for (const TopicPart& part : mapping_.topic) {
            const Column* const column = part.column ? find(part.text) : nullptr;
            if (column != nullptr && column->nullable && mapping_.topic.size() == 1) {
                note_nullable(part.text);
            }
            if (column != nullptr && mapping_.topic.size() == 1) {
                note_length(part.text, *column, true);
            }
            sql_.pinned = sql_.pinned || (column != nullptr && !is_plain(column->type));
            value += (value.empty() ? "" : " || ") +
                     (part.column ? of_row(part.text) + "::text" : literal(part.text));
            shown += part.column ? "${" + part.text + "}" : part.text;
        }
        put("topic", value, shown);
    }

    /// Behind the topic, which everything else has always stood in front of.
    void put_more(std::string_view target, const std::string& value) {
        more_targets_ += fmt::format(", {}", target);
        more_values_ += ", " + value;
    }

    /// Adds a column with its value, and a word for the description that status shows.
    void put(std::string_view target, const std::string& value, const std::string& shown) {
        const bool first = sql_.targets.empty();
        sql_.targets += fmt::format("{}{}", first ? "" : ", ", target);
        sql_.values += (first ? "" : ", ") + value;
        sql_.description += fmt::format("{}{}={}", first ? "" : " ", target, shown);
    }

    const Mapping& mapping_;
    const Columns& columns_;
    Blanks blanks_;
    CaptureSql sql_;
    std::string more_targets_;
    std::string more_values_;
    std::string refusal_;
};

} // namespace

tl::expected<CaptureSql, Refusal> capture_sql(const Mapping& mapping, const Columns& columns, Blanks blanks) {
    return Builder(mapping, columns, blanks).build();
}

std::optional<std::string> key_unlike_debeziums(const Mapping& mapping, const Columns& columns) {
    constexpr auto alike =
        std::to_array<std::string_view>({"uuid", "smallint", "integer", "bigint", "boolean"});
    const auto found = columns.find(mapping.aggregate_id);
    if (found == columns.end() || is_text(found->second.type) ||
        std::ranges::find(alike, found->second.type) != alike.end()) {
        return std::nullopt;
    }
    return fmt::format("column {} is {}, and Debezium writes its keys in another way: events of one key have "
                       "another key, and perhaps another partition, from the cut on",
                       quoted(mapping.aggregate_id), found->second.type);
}

std::string literal(std::string_view text) {
    std::string quoted = text.find('\\') == std::string_view::npos ? "'" : " E'";
    for (const char c : text) {
        quoted.append(c == '\'' || c == '\\' ? 2 : 1, c);
    }
    return quoted + '\'';
}

} // namespace outbox::migrations
