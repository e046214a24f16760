// Finds the rows that cannot be changed: a constraint or a trigger of the user's refuses the update,
// and the error does not say for which row. All chosen rows are tried in a transaction that is rolled
// back, then halves, until single rows remain; one of each bucket is enough, for its bucket waits as a
// whole.

#include "outbox/store/refused.hpp"

#include "candidates.hpp"
#include "outbox/store/texts.hpp"

#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql/unreadable.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string>

namespace outbox::store {
namespace {

using postgres::Connection;
using postgres::DatabaseError;

/// One search. It needs a session of its own, because a trial's error ends the transaction that it is
/// in.
class Trials {
public:
    Trials(Connection session, milliseconds timeout) : session_(std::move(session)), timeout_(timeout) {}

    std::vector<UnreadableRow> among(const Choice& choice) {
        const auto chosen = candidates_of(
            session_.run(choice.rows, choice.params, Deadline::in(timeout_), postgres::Format::binary));
        look_for_locks(chosen);
        if (found_.empty()) {
            look(chosen);
        }
        return std::move(found_);
    }

private:
    void look_for_locks(std::span<const Candidate> some) {
        const auto ids =
            array_of(some, [](std::string& text, const Candidate& each) { text += each.row.id.to_string(); });
        postgres::Transaction trial(session_, Deadline::in(timeout_)); // rolled back at its end
        const auto locked = trial.run(sql::find_locked, {ids}, postgres::Format::binary);
        auto rows = candidates_of(locked);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (buckets_.insert(rows[i].row.bucket).second) {
                found_.push_back(std::move(rows[i].row));
                found_.back().why = locked.bytes(static_cast<int>(i), why_locked);
            }
        }
    }

    /// @return why not; nullopt: these may be changed
    std::optional<std::string> refusal_of(std::span<const Candidate> some) {
        // Deferred constraints would speak only at COMMIT, which never comes here.
        const auto tids =
            array_of(some, [](std::string& text, const Candidate& each) { print_tid(text, each.tid); });
        postgres::Transaction trial(session_, Deadline::in(timeout_)); // rolled back at its end
        try {
            trial.query("SET CONSTRAINTS ALL IMMEDIATE");
            trial.query(sql::try_change.sql, {tids});
            return std::nullopt;
        } catch (const DatabaseError& error) {
            if (!may_be_refused(error.sqlstate())) {
                throw;
            }
            return error.reason();
        }
    }

    /// Halves the rows until one stands alone. Buckets that are known to be blocked are not asked
    /// again.
    void look(std::span<const Candidate> some) {
        const bool known = std::all_of(some.begin(), some.end(), [this](const Candidate& each) {
            return buckets_.contains(each.row.bucket);
        });
        if (known) { // or there are none
            return;
        }
        const auto why = refusal_of(some);
        if (!why) {
            return;
        }
        if (some.size() > 1) {
            look(some.first(some.size() / 2));
            look(some.subspan(some.size() / 2));
            return;
        }
        found_.push_back(some.front().row);
        found_.back().why = *why;
        buckets_.insert(some.front().row.bucket);
    }

    static constexpr int why_locked = 5; ///< column of `sql::find_locked`

    Connection session_;
    milliseconds timeout_;
    std::vector<UnreadableRow> found_;
    std::set<int> buckets_;
};

} // namespace

bool may_be_refused(std::string_view sqlstate) {
    return sqlstate.starts_with("23") || sqlstate.starts_with("44") || sqlstate.starts_with("P0");
}

bool may_be_locked(std::string_view sqlstate) {
    return sqlstate == "55P03";
}

std::vector<UnreadableRow> find_refused(const std::function<Connection()>& open, const Choice& choice,
                                        milliseconds timeout) {
    return choice.rows.sql == nullptr ? std::vector<UnreadableRow>() : Trials(open(), timeout).among(choice);
}

} // namespace outbox::store
