#include "runs_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace outbox::backfill {

std::string list_text(const std::vector<store::BackfillRun>& runs) {
    std::size_t width = 3;
    for (const store::BackfillRun& run : runs) {
        width = std::max(width, run.run.size());
    }
    std::string text = fmt::format("{:<{}}  {:<11}  {:>12}  {:>12}  {:<20}  command\n", "run", width, "state",
                                   "published", "events", "started");
    for (const store::BackfillRun& run : runs) {
        fmt::format_to(std::back_inserter(text), "{:<{}}  {:<11}  {:>12}  {:>12}  {:<20}  {} {}\n", run.run,
                       width, run.state(), run.published, run.events, run.started_at, run.selection,
                       run.target);
    }
    return text;
}

std::string show_text(const store::BackfillRun& run, std::int64_t published) {
    std::string text;
    const auto line = [&](const char* name, const std::string& value) {
        fmt::format_to(std::back_inserter(text), "{:<10} {}\n", name, value);
    };
    line("run", run.run);
    line("state", run.state());
    line("published", fmt::format("{} of {} events", published, run.events));
    line("selection", run.selection);
    line("target", run.target);
    line("up to seq", std::to_string(run.still.last_seq));
    line("done by", run.still.moment);
    line("by", run.who);
    line("started", run.started_at);
    if (run.finished_at) {
        line("finished", *run.finished_at);
    }
    if (run.cancelled_at) {
        line("cancelled", *run.cancelled_at);
    }
    return text;
}

} // namespace outbox::backfill
