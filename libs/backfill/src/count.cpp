#include "count.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t pages_at_once = 8'192; // 64 MB: a statement of less than a second
constexpr auto patience = 60s;                // with a VACUUM, which summarises as well

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
    Deadline deadline = Deadline::in(patience);
    for (std::int64_t at = 0; at < pages;) {
        keep_on(go_on);
        if (runs.summarize(at, std::min(at + pages_at_once, pages))) {
            at += pages_at_once;
            deadline = Deadline::in(patience);
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

Survey count_events(store::Backfills& runs, store::History& history, const Selection& selection,
                    const relay::TopicTemplate& topic, std::int64_t last_seq, const Reporter& reporter,
                    const std::function<bool()>& go_on) {
    summarize(runs, selection, reporter, go_on);
    Survey survey = take_survey(history, selection, topic, last_seq, [&](const Survey& so_far) {
        reporter.preparing(fmt::format("counting, {} events so far", so_far.events));
        return go_on();
    });
    if (survey.events == 0) {
        throw Error(Action::stop, fmt::format("no event matches {}", selection.text));
    }
    return survey;
}

} // namespace outbox::backfill
