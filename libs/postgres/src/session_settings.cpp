// Settings that our sessions begin with. ALTER ROLE and ALTER DATABASE can set anything for everybody,
// and a relay whose reads were serializable, or whose integers came in another style, would break
// quietly.

#include "session_settings.hpp"

#include <string_view>

namespace outbox::postgres {
namespace {

/// One SET of the script.
struct SessionSetting {
    int since; ///< version of the server
    bool own;  ///< only in sessions of our own, not in those that share a writer's
    std::string_view name;
    std::string_view value;
};

constexpr SessionSetting settings[] = {
    // What is read behind a lock must be as new as the lock.
    {0, false, "default_transaction_isolation", "'read committed'"},
    {0, true, "default_transaction_read_only", "off"},
    {0, true, "default_transaction_deferrable", "off"},
    // A row that a policy hides would be an event that is never sent: an error instead.
    {0, true, "row_security", "off"},
    {0, false, "datestyle", "'ISO, MDY'"},
    {0, false, "intervalstyle", "postgres"},
    {0, false, "bytea_output", "hex"},
    {0, false, "extra_float_digits", "1"},
    {0, false, "standard_conforming_strings", "on"},
    {0, false, "quote_all_identifiers", "off"},
    {0, false, "transform_null_equals", "off"},
    {0, false, "array_nulls", "on"},
    // The limits are our own statements' and transactions'; a session waits for work as long as it takes.
    {140'000, false, "idle_session_timeout", "0"},
    {170'000, true, "transaction_timeout", "0"},
};

} // namespace

std::string session_settings(int server_version, bool own) {
    std::string script;
    for (const SessionSetting& setting : settings) {
        if (server_version >= setting.since && (own || !setting.own)) {
            script.append(script.empty() ? "SET " : "; SET ")
                .append(setting.name)
                .append(" = ")
                .append(setting.value);
        }
    }
    return script;
}

} // namespace outbox::postgres
