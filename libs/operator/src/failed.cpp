// What is FAILED, by cause. Messages that differ in numbers and ids are one cause, so a thousand
// failures show as a few lines, each with the command to type when its cause is mended.

#include <outbox/core/error.hpp>
#include <outbox/core/text.hpp>
#include <outbox/operator/failed.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql/backfills.hpp>
#include <outbox/store/sql/failed.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;
using postgres::Result;
using postgres::Statement;
using postgres::Transaction;

constexpr milliseconds patience{60'000};

/// @throws UsageError for what PostgreSQL does not read as a time
void require_time(postgres::Connection& connection, const std::string& since) {
    try {
        connection.run(sql::read_time, {since}, Deadline::in(patience));
    } catch (const postgres::DatabaseError& error) {
        if (!error.sqlstate().starts_with("22")) {
            throw;
        }
        throw UsageError(fmt::format(
            "--since={} is not allowed: it must be a time, such as '2026-01-31 08:00+01' or 'yesterday'",
            since));
    }
}

/// Runs the grouping with plans for few rows.
Result groups_of(postgres::Connection& connection, const Statement& statement, const FailedFilter& filter) {
    Transaction look(connection, Deadline::in(patience),
                     "BEGIN READ ONLY; SET LOCAL enable_seqscan = off; SET LOCAL jit = off");
    return look.run(statement, {filter.topic, filter.event_type, filter.since});
}

/// Messages may hold bytes that the server cannot put into upper or lower case; then they are grouped
/// as they are.
bool has_no_utf8(const postgres::DatabaseError& error) {
    return error.sqlstate() == "22021" || error.sqlstate() == "22P05";
}

/// For a terminal: neither a line of its own, nor what would colour or move it.
std::string shown(const std::string& text) {
    std::string line = storable(text);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; },
        ' ');
    return line;
}

/// As a shell reads it.
std::string quoted(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text) {
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return quoted + "'";
}

} // namespace

std::string next_command(const FailedGroup& group) {
    if (group.events == 1) {
        return "outbox-relay retry --id " + group.example;
    }
    if (group.first == "-") { // somebody else's UPDATE has named no time
        return "outbox-relay retry --event-type " + quoted(group.event_type.value_or("TYPE"));
    }
    const std::string type = group.event_type ? " --event-type " + quoted(*group.event_type) : "";
    return fmt::format("outbox-relay retry{} --failed-since {}", type, quoted(group.first));
}

FailedReport read_failed(postgres::Connection& connection, const FailedFilter& filter) {
    if (filter.since) {
        require_time(connection, *filter.since);
    }
    Result rows;
    try {
        rows = groups_of(connection, sql::group_failed, filter);
    } catch (const postgres::DatabaseError& error) {
        if (!has_no_utf8(error)) {
            throw;
        }
        rows = groups_of(connection, sql::group_failed_plainly, filter);
    }
    FailedReport report;
    report.chosen = filter.topic || filter.event_type || filter.since;
    for (int i = 0; i < rows.rows(); ++i) {
        report.largest.push_back({rows.text(i, 0), rows.integer(i, 1), rows.maybe_text(i, 2).value_or("-"),
                                  rows.maybe_text(i, 3).value_or("-"), rows.maybe_text(i, 4).value_or(""),
                                  rows.maybe_text(i, 5).value_or(""), rows.maybe_text(i, 6)});
        report.events = rows.integer(i, 7);
        report.groups = rows.integer(i, 8);
    }
    return report;
}

std::string to_text(const FailedReport& report) {
    if (report.events == 0) {
        return report.chosen ? "no event that these options choose is FAILED\n" : "no event is FAILED\n";
    }
    std::string text = fmt::format("{} event{} FAILED, by topic and message:\n", report.events,
                                   report.events == 1 ? " is" : "s are");
    for (const FailedGroup& group : report.largest) {
        text += fmt::format("\n{} of topic {}, {} to {}, the last one {}\n  {}\n  when that is mended: {}\n",
                            group.events, shown(group.topic), group.first, group.last, group.example,
                            shown(group.message), next_command(group));
    }
    const auto left = report.groups - static_cast<std::int64_t>(report.largest.size());
    return left > 0
               ? text + fmt::format("\n{} smaller groups are not shown; --topic, --type and --since choose\n",
                                    left)
               : text;
}

std::string to_json(const FailedReport& report) {
    using Json = nlohmann::ordered_json;
    Json document{{"failed", report.events}, {"groups", report.groups}, {"largest", Json::array()}};
    for (const FailedGroup& group : report.largest) {
        document["largest"].push_back(
            {{"topic", group.topic},
             {"count", group.events},
             {"first", group.first},
             {"last", group.last},
             {"example", group.example},
             {"event_type", group.event_type ? Json(*group.event_type) : Json(nullptr)},
             {"message", group.message},
             {"next", next_command(group)}});
    }
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace outbox::verbs
