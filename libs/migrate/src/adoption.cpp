// Tables that stood there before the migrations. The outbox's own step adopts an outbox_events that
// fits; the example's are adopted when they are just as its files make them. What was adopted stays at
// `down`: it is the user's. The file tells us by a comment on the table, which is put back afterwards.

#include "adoption.hpp"

#include "capture_sql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace outbox::migrations::adoption {
namespace {

constexpr std::string_view marker = "adopted by outbox-migrate: down keeps it";
constexpr std::string_view events = "outbox_events";

/// A table's name and columns as text, for comparison.
struct Shape {
    std::string_view name;
    std::string_view columns;
};

/// The example's tables as its files make them.
constexpr std::array shapes = std::to_array<Shape>({
    {"users", "created_at timestamp with time zone, email character varying(255), id uuid,"
              " name character varying(255), updated_at timestamp with time zone"},
    {"idempotency_keys", "body text, expires_at timestamp with time zone, key text, location text,"
                         " request_hash bytea, status integer"},
});

constexpr auto read_shape = R"(
SELECT c.relkind = 'r', (SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
                                           ORDER BY a.attname COLLATE "C")
                           FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM pg_class AS c WHERE c.oid = to_regclass($1))";

} // namespace

Comment::Comment(postgres::Connection& connection, const Migration& migration, Deadline deadline)
    : connection_(connection),
      deadline_(deadline),
      concerned_(migration.set == Set::outbox && migration.name == events),
      before_(concerned_ ? read() : std::nullopt) {}

std::optional<std::string> Comment::read() {
    return connection_
        .query("SELECT obj_description(to_regclass('outbox_events'), 'pg_class')", {}, deadline_)
        .maybe_text(0, 0);
}

void Comment::write(const std::optional<std::string>& text) {
    if (!connection_.query("SELECT to_regclass('outbox_events')", {}, deadline_).is_null(0, 0)) {
        connection_.query(fmt::format("COMMENT ON TABLE outbox_events IS {}", text ? literal(*text) : "NULL"),
                          {}, deadline_);
    }
}

void Comment::tell(bool adopted) {
    if (concerned_) {
        write(adopted ? std::optional(std::string(marker)) : std::nullopt);
    }
}

bool Comment::restore() {
    if (!concerned_) {
        return false;
    }
    const bool adopted = read() == marker;
    write(before_);
    return adopted;
}

Place place_of(postgres::Connection& connection, const Migration& migration, Deadline deadline) {
    const auto found = connection.query(read_shape, {migration.name}, deadline);
    if (found.empty()) {
        // A type of that name is in a table's way as well.
        const bool type =
            !connection.query("SELECT to_regtype($1)", {migration.name}, deadline).is_null(0, 0);
        return type ? Place::foreign : Place::free;
    }
    const auto* const shape = std::ranges::find(shapes, std::string_view(migration.name), &Shape::name);
    const bool same =
        shape != shapes.end() && found.boolean(0, 0) && found.maybe_text(0, 1) == shape->columns;
    return same ? Place::ours : Place::foreign;
}

} // namespace outbox::migrations::adoption
