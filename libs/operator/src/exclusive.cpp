#include "exclusive.hpp"

#include <outbox/operator/verbs.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql/exclusive.hpp>

#include <fmt/format.h>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;

constexpr milliseconds short_answer{10'000};

} // namespace

Belonging belonging(postgres::Connection& connection) {
    const auto meta = connection.run(sql::belonging, {}, Deadline::in(short_answer));
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
    // In this order: a relay that takes a shard between the two is seen as alive.
    const auto busy = connection.run(sql::try_shards, {}, Deadline::in(short_answer));
    const auto alive = connection.run(sql::alive_relays, {}, Deadline::in(short_answer)).maybe_text(0, 0);
    if (alive) {
        return fmt::format("relays are alive ({}): stop them first", *alive);
    }
    if (!busy.is_null(0, 0)) {
        return fmt::format("somebody works on shard {} at this moment: try again", busy.integer(0, 0));
    }
    return std::nullopt;
}

} // namespace outbox::verbs
