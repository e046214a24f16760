#include "outbox/postgres/error.hpp"

#include <array>

namespace outbox::postgres {
namespace {

struct Rule {
    std::string_view prefix; ///< of the SQLSTATE; the first that fits decides
    Action action;
};

constexpr std::array rules = std::to_array<Rule>({
    {"08", Action::reconnect},    // connection exception
    {"22", Action::quarantine},   // data exception: this input never fits
    {"23", Action::quarantine},   // constraint violation
    {"25P03", Action::reconnect}, // idle_in_transaction_session_timeout closed the connection
    {"25006", Action::reconnect}, // read-only: connected to a server that is not the primary any more
    {"40", Action::retry},        // serialization failure, deadlock, rollback
    {"53", Action::retry},        // out of connections, memory or disk: it may pass
    {"55P03", Action::retry},     // lock not available
    {"57014", Action::retry},     // statement_timeout
    {"57P", Action::reconnect},   // shutdown, crash, starting up
    {"58", Action::reconnect},    // system error
    {"XX", Action::reconnect},    // internal error
});

} // namespace

Action action_for(std::string_view sqlstate) {
    if (sqlstate.empty()) {
        return Action::reconnect;
    }
    for (const Rule& rule : rules) {
        if (sqlstate.substr(0, rule.prefix.size()) == rule.prefix) {
            return rule.action;
        }
    }
    return Action::stop; // syntax, missing table, privileges: only an operator can help
}

} // namespace outbox::postgres
