// What a selection comes to, for people: counts by type, topic and day, and how long it will take.

#include "outbox/backfill/survey.hpp"

#include "outbox/backfill/pace.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace outbox::backfill {
namespace {

/// "12.3 MB", in steps of a thousand.
std::string bytes_text(std::int64_t bytes) {
    constexpr double step = 1000;
    auto size = static_cast<double>(bytes);
    for (const char* unit : {"bytes", "kB", "MB"}) {
        if (size < step) {
            return fmt::format("{:.{}f} {}", size, unit[0] == 'b' ? 0 : 1, unit);
        }
        size /= step;
    }
    return fmt::format("{:.1f} GB", size);
}

/// A count a line, under a title.
void table(std::string& text, const char* title, const std::map<std::string, std::int64_t>& counts) {
    auto to = std::back_inserter(text);
    fmt::format_to(to, "\nby {}\n", title);
    for (const auto& [name, events] : counts) {
        fmt::format_to(to, "  {:>12}  {}\n", events, name);
    }
}

/// Where the relay sent events of this kind.
std::string topic_of(const store::HistoryCount& count, const messages::TopicTemplate& topic) {
    store::Row row;
    row.aggregate_type = count.aggregate_type;
    row.event_type = count.event_type;
    row.topic = count.topic;
    messages::Arena arena;
    return std::string(topic.topic_of(row, arena));
}

} // namespace

void Survey::add(const store::WindowCounts& window, const messages::TopicTemplate& topic) {
    untimed += window.untimed;
    if (window.events == 0) {
        return;
    }
    twice += window.twice;
    first = events == 0 ? window.first : first;
    last = window.last;
    events += window.events;
    for (const store::HistoryCount& count : window.counts) {
        bytes += count.bytes;
        types[count.event_type] += count.events;
        const std::string to = topic_of(count, topic);
        const std::string day = count.day.empty() ? "unknown" : count.day;
        topics[to] += count.events;
        days[day] += count.events;
        topic_days[to][day] += count.events;
    }
}

std::vector<std::string> left_out(const Survey& survey, const std::vector<store::IdCount>& ids) {
    std::vector<std::string> lines;
    for (const auto& [status, count, examples] : ids) {
        const std::string more = count > 3 ? ", ..." : "";
        lines.push_back(status.empty()
                            ? fmt::format("{} of the ids name no event: {}{}", count, examples, more)
                            : fmt::format("{} of the ids name events that are {}: {}{}{}", count, status,
                                          examples, more,
                                          status == "NEW" || status == "PROCESSING"
                                              ? " (the relay has yet to deliver them)"
                                              : " (--status)"));
    }
    if (survey.untimed > 0) {
        lines.push_back(
            fmt::format("{} events have no created_at, so --since and --until cannot tell", survey.untimed));
    }
    return lines;
}

std::string report(const Survey& survey, const Target& target, const Outlook& outlook) {
    std::string text = fmt::format("{} events would be replayed into {}\n", survey.events,
                                   target.topic ? "topic " + *target.topic : "their own topics");
    auto to = std::back_inserter(text);
    table(text, "type", survey.types);
    table(text, "topic", survey.topics);
    table(text, "day", survey.days);
    fmt::format_to(to, "\nfirst  {}\nlast   {}\n", outlook.first, outlook.last);
    fmt::format_to(to, "\nabout {} of messages, about {} at {:.0f} events/s ({})\n", bytes_text(survey.bytes),
                   duration_text(static_cast<double>(survey.events) / outlook.events_per_second),
                   outlook.events_per_second, outlook.speed_of);
    return text;
}

Survey take_survey(store::History& history, const Selection& selection, const messages::TopicTemplate& topic,
                   std::int64_t last_seq, const std::function<bool(const Survey&)>& go_on) {
    Survey survey;
    std::int64_t left = selection.limit.value_or(std::numeric_limits<std::int64_t>::max());
    std::int64_t at = selection.from_seq - 1;
    const std::int64_t upto = std::min(selection.to_seq, last_seq);
    while (at < upto && left > 0) {
        if (!go_on(survey)) {
            throw Error(Action::stop, "stopped while counting; nothing was changed");
        }
        const store::WindowCounts window = history.count(at, upto, left);
        survey.add(window, topic);
        left -= window.events;
        at = window.through;
    }
    return survey;
}

} // namespace outbox::backfill
