#include "outbox/postgres/error.hpp"

#include <array>

namespace outbox::postgres {
namespace {

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
    {"55P03", Action::retry, "a lock was not to be had in time", "tried again"},
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
    {"28", Action::stop, "the role or its password is refused",
     "the shard stops and says so: only an operator can help"},
    {"3D", Action::stop, "there is no such database",
     "the shard stops and says so: only an operator can help"},
    {"3F", Action::stop, "there is no such schema", "the shard stops and says so: only an operator can help"},
    {"42", Action::stop, "syntax, a missing table or column, no privilege",
     "the shard stops and says so: only an operator can help"},
    {"0A", Action::stop, "the server cannot do this",
     "the shard stops and says so: only an operator can help"},
    {"54", Action::stop, "a limit of the server",
     "an event that cannot be read becomes FAILED; else the shard stops and says so: only an operator can "
     "help"},
    {"55", Action::stop, "the object is not in a state for this",
     "the shard stops and says so: only an operator can help"},
    {"57", Action::stop, "an operator intervened otherwise",
     "the shard stops and says so: only an operator can help"},
    {"25", Action::stop, "the transaction is in another state than this program thinks",
     "the shard stops and says so: only an operator can help"},
    {"P0", Action::stop, "a trigger or function raised an error",
     "the shard stops and says so: only an operator can help"},
    {"38", Action::stop, "a function failed", "the shard stops and says so: only an operator can help"},
    {"39", Action::stop, "a function failed", "the shard stops and says so: only an operator can help"},
    {"09", Action::stop, "a trigger failed", "the shard stops and says so: only an operator can help"},
    {"27", Action::stop, "a trigger failed", "the shard stops and says so: only an operator can help"},
    {"00", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"01", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"02", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"03", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"0B", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"0F", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"0L", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"0P", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"0Z", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"20", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"21", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"24", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"26", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"2B", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"2D", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"2F", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"34", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"3B", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"F0", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
    {"HV", Action::stop, "what no statement of this program should meet",
     "the shard stops and says so: only an operator can help"},
});

} // namespace

std::span<const Failing> failures() {
    return rules;
}

Action action_for(std::string_view sqlstate) {
    if (sqlstate.empty()) {
        return Action::reconnect;
    }
    for (const Failing& rule : rules) {
        if (sqlstate.substr(0, rule.prefix.size()) == rule.prefix) {
            return rule.action;
        }
    }
    return Action::stop; // not even its class is known
}

} // namespace outbox::postgres
