// Fixes and counts what a run is about. Counting comes before anything is written down, because only
// then can the user be told what will be sent, what waits for the relay, and what cannot be sent at
// all. The same code serves --dry-run, so what it shows is what a run would do.

#include "count.hpp"

#include "source.hpp"
#include "times.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t pages_at_once = 8'192; // 64 MB: a statement of less than a second
constexpr auto vacuum_patience = 60s;         // with a VACUUM, which summarises as well, and with writers

/// @throws UsageError for what PostgreSQL does not read as a time
std::string time_of(store::Backfills& runs, const char* option, const std::string& text) {
    try {
        return runs.time_of(text);
    } catch (const postgres::DatabaseError& error) {
        if (error.action() != Action::quarantine) {
            throw;
        }
        throw UsageError(fmt::format(
            "--{}={} is not allowed: it must be a time, e.g. '2026-01-31 12:00:00+00'", option, text));
    }
}

/// What the user should know about the members, beside what is left out.
std::vector<std::string> notes_of(const Members& members) {
    std::vector<std::string> notes;
    std::int64_t waiting = 0;
    if (members.selection.filter.ids.empty()) {
        for (const auto& [first, last] : members.selection.filter.waiting) {
            const auto begin = std::max(first, members.selection.from_seq);
            const auto end = std::min(last, members.selection.to_seq);
            waiting += std::max<std::int64_t>(end - begin + 1, 0);
        }
    }
    if (waiting > 0) {
        notes.push_back(
            fmt::format("{} events of this range wait to be delivered by the relay, and are no part of "
                        "it",
                        waiting));
    }
    if (members.survey.twice > 0) {
        notes.push_back(
            fmt::format("{} events stand in the archive and, under another number, in outbox_events: "
                        "each is sent once",
                        members.survey.twice));
    }
    return notes;
}

/// Each row of the archive would be sent, and nobody knows which of them is meant.
void require_one_number_each(store::Backfills& runs, const Selection& selection, std::int64_t last) {
    if (selection.filter.archived.empty()) {
        return;
    }
    const auto upto = std::min(selection.to_seq, last);
    const auto twice = runs.ids_twice_in_archive(selection.filter, selection.from_seq - 1, upto);
    if (twice.ids > 0) {
        throw Error(
            Action::stop,
            fmt::format("--archive={} holds {} events under several numbers each, such as {}: they would"
                        " be sent as often; delete all but one row of each",
                        selection.archive.value_or(""), twice.ids, twice.examples));
    }
}

/// @throws Error(stop) when somebody wants to end it
void keep_on(const std::function<bool()>& go_on) {
    if (!go_on()) {
        throw Error(Action::stop, "stopped while counting; nothing was changed");
    }
}

} // namespace

void summarize(store::Backfills& runs, const Selection& selection, const Reporter& reporter,
               const std::function<bool()>& go_on) {
    if (!selection.filter.ids.empty()) { // they are found by their primary key
        return;
    }
    const std::int64_t pages = runs.pages();
    Deadline deadline = Deadline::in(vacuum_patience);
    for (std::int64_t at = 0; at < pages;) {
        keep_on(go_on);
        if (runs.summarize(at, std::min(at + pages_at_once, pages))) {
            at += pages_at_once;
            deadline = Deadline::in(vacuum_patience);
            reporter.preparing(
                fmt::format("looking where events lie, {} %", std::min(at, pages) * 100 / pages));
        } else if (deadline.passed()) {
            reporter.note(
                "a VACUUM, or another change of outbox_events, does not end; counting may take long");
            return;
        } else {
            reporter.preparing("waiting for a VACUUM, or another change of outbox_events, to end");
            poll(nullptr, 0, 200);
        }
    }
}

Selection with_times(store::Backfills& runs, Selection selection) {
    auto& filter = selection.filter;
    if (filter.since) {
        filter.since = time_of(runs, "since", *filter.since);
    }
    if (filter.until) {
        filter.until = time_of(runs, "until", *filter.until);
    }
    return selection;
}

store::History history_of(const Surroundings& surroundings, postgres::Connection& primary,
                          const Members& members, const std::function<bool()>& go_on) {
    return {[&surroundings, &primary, &go_on, position = members.still.log_position] {
                return open_source(surroundings, primary, position, go_on);
            },
            members.selection.filter, statement_time};
}

Members find_members(const Surroundings& surroundings, store::Backfills& runs, postgres::Connection& primary,
                     const Request& request, const Reporter& reporter, const std::function<bool()>& go_on) {
    Members members;
    members.selection = with_times(runs, request.selection);
    auto& filter = members.selection.filter;
    // Only so that counting is quick; it changes nothing that a reader sees.
    summarize(runs, members.selection, reporter, go_on);
    // From here on the range stands still: what is counted now is what will be sent.
    members.still = runs.stand_still(filter.archived, Deadline::in(vacuum_patience));
    filter.waiting = members.still.waiting.value_or(store::SeqRanges());
    require_one_number_each(runs, members.selection, members.still.last_seq);

    auto history = history_of(surroundings, primary, members, go_on);
    members.survey =
        take_survey(history, members.selection, request.target.messages.topic, members.still.last_seq,
                    [&](const Survey& so_far) {
                        reporter.preparing(fmt::format("counting, {} events so far", so_far.events));
                        return go_on();
                    });
    // Named ids are counted the other way round: which of them will not be sent, and why.
    const auto ids = filter.ids.empty() ? std::vector<store::IdCount>()
                                        : runs.ids_left_out(filter.ids, filter.statuses, filter.archived);
    members.left_out = left_out(members.survey, ids);
    members.notes = notes_of(members);
    if (members.survey.events == 0) {
        throw Error(Action::stop,
                    fmt::format("no event matches {}{}{}", request.selection.text,
                                members.left_out.empty() ? "" : ": ", fmt::join(members.left_out, "; ")));
    }
    return members;
}

} // namespace outbox::backfill
