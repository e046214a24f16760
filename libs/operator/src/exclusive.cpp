#include "exclusive.hpp"

#include <outbox/operator/verbs.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql.hpp>

#include <fmt/format.h>

namespace outbox::verbs {
namespace {

using postgres::Statement;

constexpr milliseconds short_answer{10'000};

constexpr Statement read_meta{"outbox_belonging", "SELECT outbox_id, name, cluster_id FROM outbox_meta"};

constexpr Statement find_alive{
    "outbox_alive_relays",
    "SELECT string_agg(r.name, ', ' ORDER BY r.name) FROM outbox_relays AS r WHERE " OUTBOX_RELAY_ALIVE};

constexpr Statement try_locks{"outbox_try_shards",
                              "SELECT min(s.shard) FROM generate_series(0, 63) AS s(shard)"
                              " WHERE NOT pg_try_advisory_lock(" OUTBOX_SHARD_LOCK("s.shard") ")"};

} // namespace

Belonging belonging(postgres::Connection& connection) {
    const auto meta = connection.run(read_meta, {}, Deadline::in(short_answer));
    return {meta.uuid(0, 0), meta.maybe_text(0, 1), meta.maybe_text(0, 2)};
}

std::optional<std::string> of_another_name(postgres::Connection& session, const std::string& name) {
    const auto now = belonging(session);
    if (!now.name || *now.name == name) {
        return std::nullopt;
    }
    return fmt::format("this database's outbox belongs to the name '{0}', not '{1}': set OUTBOX_NAME={0}",
                       *now.name, name);
}

std::optional<std::string> lock_out_relays(postgres::Connection& connection) {
    const auto busy = connection.run(try_locks, {}, Deadline::in(short_answer));
    const auto alive = connection.run(find_alive, {}, Deadline::in(short_answer)).maybe_text(0, 0);
    if (alive) {
        return fmt::format("relays are alive ({}): stop them first", *alive);
    }
    if (!busy.is_null(0, 0)) {
        return fmt::format("somebody works on shard {} at this moment: try again", busy.integer(0, 0));
    }
    return std::nullopt;
}

} // namespace outbox::verbs
