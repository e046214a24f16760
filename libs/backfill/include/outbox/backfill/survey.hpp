#pragma once

#include <outbox/backfill/request.hpp>
#include <outbox/messages/topic_template.hpp>
#include <outbox/store/backfills.hpp>
#include <outbox/store/history.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outbox::backfill {

/// What a selection comes to. Pure; fed by windows of the history.
struct Survey {
    std::int64_t events = 0;
    std::int64_t bytes = 0;
    std::int64_t first = 0; ///< seq
    std::int64_t last = 0;
    std::int64_t untimed = 0; ///< beside these: no created_at, where that decides
    std::int64_t twice = 0;   ///< among these: in the archive as well, under another number
    std::map<std::string, std::int64_t> types;
    std::map<std::string, std::int64_t> topics; ///< to which a relay sends the events
    using Days = std::map<std::string, std::int64_t>;
    Days days;
    std::map<std::string, Days> topic_days; ///< of each topic

    /// Adds a window's counts. Windows come in the order of seq.
    void add(const store::WindowCounts& window, const messages::TopicTemplate& topic);
};

/// The first and the last event, in words, and how fast it will go.
struct Outlook {
    std::string first;
    std::string last;
    double events_per_second = 0;
    std::string speed_of; ///< why it is thought to be that fast
};

/// What was asked for and is not in a run, a line each. Pure.
std::vector<std::string> left_out(const Survey& survey, const std::vector<store::IdCount>& ids);

/// What --dry-run prints.
std::string report(const Survey& survey, const Target& target, const Outlook& outlook);

/// Counts what is selected, up to `last_seq`, in short statements.
/// @param topic  the relay's, @param go_on  is told what was counted so far; false ends it early
Survey take_survey(store::History& history, const Selection& selection, const messages::TopicTemplate& topic,
                   std::int64_t last_seq, const std::function<bool(const Survey&)>& go_on);

} // namespace outbox::backfill
