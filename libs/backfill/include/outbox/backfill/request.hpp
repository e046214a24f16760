#pragma once

#include <outbox/core/command_line.hpp>
#include <outbox/core/deadline.hpp>
#include <outbox/messages/messages.hpp>
#include <outbox/store/history.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace outbox::backfill {

/// Which events, as the command line says it.
struct Selection {
    store::HistoryFilter filter;
    std::int64_t from_seq = 1;
    std::int64_t to_seq = std::numeric_limits<std::int64_t>::max();
    std::optional<std::int64_t> limit;
    std::optional<std::string> archive; ///< a table that events were moved to
    std::string text; ///< the options again, in a fixed order: two selections are the same when it is
};

/// Where to, and in which shape.
struct Target {
    std::optional<std::string> topic; ///< nothing: where the relay sent each event
    messages::Messages messages{};    ///< the relay's, but for what the command line says
    bool original_timestamp = false;  ///< of the record; else the time of the replay
    std::string text;                 ///< as above
};

/// Where a replica listens.
struct ReadHost {
    std::string host;
    std::optional<std::string> port; ///< nothing: that of the primary
};

/// What the first word asks for; without one, a replay.
enum class Verb { replay, list, show, cancel };

/// All that the command line says, checked.
struct Request {
    Verb verb = Verb::replay;
    std::optional<std::string> run;
    Selection selection;
    Target target;
    std::optional<std::int64_t> rate; ///< events a second
    milliseconds max_lag{60'000};
    std::optional<ReadHost> read_host;
    bool dry_run = false;
    bool again = false;          ///< although an equal run was finished
    bool allow_left_out = false; ///< what is left out does not make it fail
    bool yes = false;            ///< the consumers of the original topic may see the events again
};

/// Tells the command line of the options and --help.
CommandLineSpec command_line();

/// Reads the file of --ids, if there is one. @throws UsageError for everything that is not understood.
Request parse_request(const Arguments& arguments);

} // namespace outbox::backfill
