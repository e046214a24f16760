// `seq` is what order rests on, and it comes from an identity. A copy by logical replication carries no
// sequences, and people give numbers by hand, so the identity may stand below events that are there;
// new events would then overtake older ones of their key. These functions find that and move it.

#include "outbox/store/numbering.hpp"

#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql/numbering.hpp>

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Transaction;

// The planner does not know how few they are, and would read the whole table.
constexpr auto by_indexes =
    "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on; SET LOCAL jit = off";

} // namespace

std::optional<std::int64_t> newest_above_identity(postgres::Connection& connection, Look look,
                                                  Deadline deadline) {
    Transaction transaction(connection, deadline, by_indexes);
    const Result found =
        transaction.run(look == Look::everywhere ? sql::newest_above : sql::newest_unsent_above, {});
    transaction.commit();
    return found.is_null(0, 0) ? std::nullopt : std::optional(found.integer(0, 0));
}

std::optional<Numbered> event_at_the_end(postgres::Connection& connection, Deadline deadline) {
    Transaction transaction(connection, deadline, by_indexes);
    const Result found = transaction.run(sql::at_the_end, {});
    transaction.commit();
    return found.empty() ? std::nullopt : std::optional(Numbered{found.text(0, 0), found.integer(0, 1)});
}

bool move_identity(postgres::Connection& connection, std::int64_t seq, Deadline deadline) {
    return !connection.run(sql::move_identity, {seq}, deadline).empty();
}

std::optional<std::int64_t> mend_identity(postgres::Connection& connection, Look look, Deadline deadline) {
    const auto newest = newest_above_identity(connection, look, deadline);
    return newest && move_identity(connection, *newest, deadline) ? newest : std::nullopt;
}

} // namespace outbox::store
