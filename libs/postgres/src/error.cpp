// The table from SQLSTATE to reaction. It is the only place where the product decides what an error of
// PostgreSQL means; docs/guarantee.md shows the same rows, and a test compares the two. Specific states
// stand above their class, because the first row that fits wins.

#include "outbox/postgres/error.hpp"

#include <array>

namespace outbox::postgres {
namespace {

constexpr auto waits = "the shard waits and says so, until somebody has mended it";

/// The first whose prefix fits decides.
constexpr auto rules = std::to_array<Failing>({
    {"08", Action::reconnect, "the connection failed", "a new connection; a shard recovers"},
    {"25P03", Action::reconnect, "the server closed a session that was idle in a transaction",
     "a new connection; a shard recovers"},
    {"25006", Action::reconnect, "the server is not the primary any more",
     "a new connection, until one is writable"},
    {"57014", Action::retry, "statement_timeout, or somebody cancelled",
     "the shard recovers and tries again"},
    {"57P", Action::reconnect, "the server shuts down, crashed or starts up, or somebody ended the session",
     "a new connection; a shard recovers"},
    {"55P03", Action::retry, "a lock was not to be had in time",
     "an event that somebody has locked waits with its bucket; else tried again"},
    {"40", Action::retry, "serialization failure, deadlock, rollback", "tried again in a new transaction"},
    {"53", Action::retry, "no connection, memory or disk left", "tried again with growing waits"},
    {"58", Action::reconnect, "error of the server's system", "a new connection; a shard recovers"},
    {"XX001", Action::retry, "damaged data",
     "an event that cannot be read becomes FAILED; else a shard recovers"},
    {"XX", Action::reconnect, "internal error", "a new connection; a shard recovers"},
    {"72", Action::retry, "snapshot too old", "tried again"},
    {"22", Action::quarantine, "data exception: this input never fits",
     "the caller's input is refused; an event that cannot be read becomes FAILED; else a shard recovers"},
    {"23", Action::quarantine, "constraint violation", "the caller's input is refused; a shard recovers"},
    {"44", Action::quarantine, "WITH CHECK OPTION violation",
     "the caller's input is refused; a shard recovers"},
    {"28", Action::stop, "the role or its password is refused", waits},
    {"3D", Action::stop, "there is no such database", waits},
    {"3F", Action::stop, "there is no such schema", waits},
    {"42P05", Action::reconnect, "a prepared statement of another client stands there, by a pooler between",
     "a new connection; a shard recovers"},
    {"42", Action::stop, "syntax, a missing table or column, no privilege", waits},
    {"0A000", Action::reconnect,
     "a table was changed beneath a prepared statement (routine `RevalidateCachedQuery`)",
     "a new connection; a shard recovers", "RevalidateCachedQuery"},
    {"26", Action::reconnect, "a prepared statement is gone, by DISCARD or a pooler between",
     "a new connection; a shard recovers"},
    {"0A", Action::stop, "the server cannot do this", waits},
    {"54", Action::stop, "a limit of the server",
     "an event that cannot be read becomes FAILED; else the shard waits and says so, until somebody has "
     "mended it"},
    {"55", Action::stop, "the object is not in a state for this", waits},
    {"57", Action::stop, "an operator intervened otherwise", waits},
    {"25", Action::stop, "the transaction is in another state than this program thinks", waits},
    {"P0", Action::stop, "a trigger or function raised an error", waits},
    {"38", Action::stop, "a function failed", waits},
    {"39", Action::stop, "a function failed", waits},
    {"09", Action::stop, "a trigger failed", waits},
    {"27", Action::stop, "a trigger failed", waits},
    {"00", Action::stop, "what no statement of this program should meet", waits},
    {"01", Action::stop, "what no statement of this program should meet", waits},
    {"02", Action::stop, "what no statement of this program should meet", waits},
    {"03", Action::stop, "what no statement of this program should meet", waits},
    {"0B", Action::stop, "what no statement of this program should meet", waits},
    {"0F", Action::stop, "what no statement of this program should meet", waits},
    {"0L", Action::stop, "what no statement of this program should meet", waits},
    {"0P", Action::stop, "what no statement of this program should meet", waits},
    {"0Z", Action::stop, "what no statement of this program should meet", waits},
    {"20", Action::stop, "what no statement of this program should meet", waits},
    {"21", Action::stop, "what no statement of this program should meet", waits},
    {"24", Action::stop, "what no statement of this program should meet", waits},
    {"2B", Action::stop, "what no statement of this program should meet", waits},
    {"2D", Action::stop, "what no statement of this program should meet", waits},
    {"2F", Action::stop, "what no statement of this program should meet", waits},
    {"34", Action::stop, "what no statement of this program should meet", waits},
    {"3B", Action::stop, "what no statement of this program should meet", waits},
    {"F0", Action::stop, "what no statement of this program should meet", waits},
    {"HV", Action::stop, "what no statement of this program should meet", waits},
});

} // namespace

std::span<const Failing> failures() {
    return rules;
}

Action action_for(std::string_view sqlstate, std::string_view routine) {
    // No SQLSTATE: libpq made the error itself, because the connection is gone.
    if (sqlstate.empty()) {
        return Action::reconnect;
    }
    for (const Failing& rule : rules) {
        if (sqlstate.substr(0, rule.prefix.size()) == rule.prefix &&
            (rule.routine.empty() || rule.routine == routine)) {
            return rule.action;
        }
    }
    return Action::stop; // not even its class is known
}

} // namespace outbox::postgres
