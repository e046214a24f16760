#include "capture_sql.hpp"

#include "server.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace outbox::migrations {
namespace {

bool is_text(std::string_view type) {
    return type == "text" || type == "character varying" || type == "character";
}

/// `n` is the column of the row. @return what outbox_events gets of it, nullopt: not this type
using Convert = std::optional<std::string> (*)(const std::string& n, std::string_view type);

std::optional<std::string> uuid_of(const std::string& n, std::string_view type) {
    return type == "uuid"  ? std::optional(n)
           : is_text(type) ? std::optional(n + "::text::uuid")
                           : std::nullopt;
}

std::optional<std::string> text_of(const std::string& n, std::string_view type) {
    return type == "bytea" ? std::nullopt : std::optional(n + "::text");
}

std::optional<std::string> json_of(const std::string& n, std::string_view type) {
    return type == "jsonb"                   ? std::optional(n)
           : type == "json" || is_text(type) ? std::optional(n + "::text::jsonb")
                                             : std::nullopt;
}

std::optional<std::string> time_of(const std::string& n, std::string_view type) {
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

std::string of_row(const std::string& column) {
    return "n." + quoted(column);
}

class Builder {
public:
    Builder(const Mapping& mapping, const Columns& columns) : mapping_(mapping), columns_(columns) {}

    tl::expected<CaptureSql, Refusal> build() {
        sql_.order = "n.tableoid, n.ctid";
        for (const Part& part : parts_of(mapping_)) {
            if (part.source) {
                add(part);
            }
        }
        add_topic();
        if (refusal_.empty()) {
            return std::move(sql_);
        }
        return tl::unexpected(Refusal{std::move(refusal_)});
    }

private:
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

    void refuse(const std::string& why) {
        if (refusal_.empty()) {
            refusal_ = fmt::format("{}.{} {}", quoted(mapping_.schema), quoted(mapping_.name), why);
        }
    }

    void add(const Part& part) {
        const Column* const column = find(*part.source);
        if (column == nullptr) {
            return;
        }
        auto value = part.convert(of_row(*part.source), column->type);
        if (!value) {
            refuse(fmt::format("cannot be served: its column {} ({} of [table]) is {}, and it must be {}",
                               quoted(*part.source), part.target, column->type, part.allowed));
            return;
        }
        note(part, *column);
        if (part.target == "created_at") {
            sql_.order = fmt::format("{} NULLS FIRST, {}", *value, sql_.order);
            value = fmt::format("coalesce({}, CURRENT_TIMESTAMP)", *value);
        }
        put(part.target, *value, *part.source);
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

    void note_nullable(const std::string& column) {
        sql_.notices.push_back(fmt::format(
            "column {} may hold NULL: an insert that leaves it so will be refused", quoted(column)));
    }

    void add_topic() {
        std::string value;
        std::string shown;
        for (const TopicPart& part : mapping_.topic) {
            const Column* const column = part.column ? find(part.text) : nullptr;
            if (column != nullptr && column->nullable && mapping_.topic.size() == 1) {
                note_nullable(part.text);
            }
            value += (value.empty() ? "" : " || ") +
                     (part.column ? of_row(part.text) + "::text" : literal(part.text));
            shown += part.column ? "${" + part.text + "}" : part.text;
        }
        put("topic", value, shown);
    }

    void put(std::string_view target, const std::string& value, const std::string& shown) {
        const bool first = sql_.targets.empty();
        sql_.targets += fmt::format("{}{}", first ? "" : ", ", target);
        sql_.values += (first ? "" : ", ") + value;
        sql_.description += fmt::format("{}{}={}", first ? "" : " ", target, shown);
    }

    const Mapping& mapping_;
    const Columns& columns_;
    CaptureSql sql_;
    std::string refusal_;
};

} // namespace

tl::expected<CaptureSql, Refusal> capture_sql(const Mapping& mapping, const Columns& columns) {
    return Builder(mapping, columns).build();
}

std::string literal(std::string_view text) {
    std::string quoted = text.find('\\') == std::string_view::npos ? "'" : " E'";
    for (const char c : text) {
        quoted.append(c == '\'' || c == '\\' ? 2 : 1, c);
    }
    return quoted + '\'';
}

} // namespace outbox::migrations
