// Reads what is judged in database.cpp. Every statement stands in libs/store/sql/check.sql.

#include "database_facts.hpp"

#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql/check.hpp>

#include <chrono>

namespace outbox::check {
namespace {

namespace sql = store::sql;
using postgres::Connection;
using postgres::Result;
using postgres::Transaction;

/// As PostgreSQL reads arrays of text.
std::string array_of(const std::vector<Grant>& grants, std::string Grant::*part) {
    std::string text = "{";
    for (const Grant& grant : grants) {
        std::string escaped;
        for (const char c : grant.*part) {
            escaped += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        }
        text += (text.size() == 1 ? "\"" : ",\"") + escaped + '"';
    }
    return text + "}";
}

std::int64_t now_ms() {
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

} // namespace

/// The clock was read somewhere between question and answer.
ServerFacts read_server(Connection& session, Deadline deadline) {
    Transaction transaction(session, deadline, "BEGIN READ ONLY");
    const auto asked = now_ms();
    const Result found = transaction.run(sql::check_server, {});
    const auto answered = now_ms();
    ServerFacts facts;
    facts.version = found.text(0, 0);
    facts.version_number = static_cast<int>(found.integer(0, 1));
    facts.standby = found.boolean(0, 2);
    facts.pooled = !session.transaction_settings().empty();
    facts.clock_ahead_ms = found.integer(0, 3) - (asked + answered) / 2;
    facts.clock_doubt_ms = (answered - asked + 1) / 2;
    facts.role = found.text(0, 4);
    facts.database = found.text(0, 5);
    facts.connection_limit = static_cast<int>(found.integer(0, 6));
    facts.sessions = static_cast<int>(found.integer(0, 7));
    facts.tls = found.maybe_text(0, 8);
    const Result settings = transaction.run(sql::check_settings, {});
    for (int i = 0; i < settings.rows(); ++i) {
        facts.settings[settings.text(i, 0)] = settings.text(i, 1);
    }
    const Result own = transaction.run(sql::check_own_settings, {});
    for (int i = 0; i < own.rows(); ++i) {
        facts.own_settings.push_back({own.text(i, 0), own.text(i, 1), own.text(i, 2)});
    }
    transaction.commit();
    return facts;
}

std::vector<Grant> read_missing(Connection& session, Needs needs, const std::string& sequence,
                                Deadline deadline) {
    const auto needed = grants_for(needs, sequence);
    Transaction transaction(session, deadline, "BEGIN READ ONLY");
    const Result found = transaction.run(sql::check_grants, {array_of(needed, &Grant::relation),
                                                             array_of(needed, &Grant::column),
                                                             array_of(needed, &Grant::privilege)});
    std::vector<Grant> missing;
    for (int i = 0; i < found.rows(); ++i) {
        missing.push_back({found.text(i, 1), found.text(i, 2), found.text(i, 0)});
    }
    transaction.commit();
    return missing;
}

std::optional<IdentityFacts> read_identity(Connection& session, Deadline deadline) {
    Transaction transaction(session, deadline, "BEGIN READ ONLY");
    const Result found = transaction.run(sql::check_identity, {});
    transaction.commit();
    if (found.empty()) {
        return std::nullopt;
    }
    return IdentityFacts{found.uuid(0, 0), found.maybe_text(0, 1), found.maybe_text(0, 2),
                         found.is_null(0, 3) ? 0 : static_cast<int>(found.integer(0, 3)),
                         found.boolean(0, 4)};
}

std::vector<UnsentEvents> read_unsent(Connection& session, Deadline deadline) {
    constexpr std::int64_t most = 100'000;
    Transaction transaction(session, deadline, "BEGIN READ ONLY");
    const Result found = transaction.run(sql::check_topics, {most});
    std::vector<UnsentEvents> all;
    for (int i = 0; i < found.rows(); ++i) {
        all.push_back({found.text(i, 0), found.text(i, 1), found.text(i, 2), found.integer(i, 3),
                       found.is_null(i, 4) ? std::nullopt : std::optional(found.integer(i, 4))});
    }
    transaction.commit();
    return all;
}

} // namespace outbox::check
