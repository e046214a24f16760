#pragma once

#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::verbs {

/// Which FAILED events are told about.
struct FailedFilter {
    std::optional<std::string> topic; ///< that the rows name
    std::optional<std::string> event_type;
    std::optional<std::string> since; ///< as PostgreSQL reads a time
};

/// FAILED events of one topic whose messages differ in nothing but numbers and ids.
struct FailedGroup {
    std::string topic;
    std::int64_t events = 0;
    std::string first; ///< UTC, as every time here
    std::string last;
    std::string example;                   ///< id of the last one
    std::string message;                   ///< of that one, cut off where it is very long
    std::optional<std::string> event_type; ///< when all have the same
};

/// All FAILED events, the largest groups first.
struct FailedReport {
    std::int64_t events = 0;
    std::int64_t groups = 0;
    std::vector<FailedGroup> largest; ///< at most a hundred
    bool chosen = false;              ///< by a filter
};

/// What to type when the cause is mended.
std::string next_command(const FailedGroup& group);

/// What it costs grows with the FAILED events alone. @throws UsageError for a time that is none
FailedReport read_failed(postgres::Connection& connection, const FailedFilter& filter);

/// For people.
std::string to_text(const FailedReport& report);
/// For programs: one document.
std::string to_json(const FailedReport& report);

} // namespace outbox::verbs
