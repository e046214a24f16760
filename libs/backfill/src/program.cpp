// outbox-backfill from its command line to its exit code: which verb, with what it works, what is said.
// Results go to stdout; progress goes to stderr, as a line that is drawn anew on a terminal and as one
// now and then elsewhere, so that a log does not fill up.

#include "outbox/backfill/program.hpp"

#include "count.hpp"
#include "outbox/backfill/replay.hpp"
#include "outbox/backfill/survey.hpp"
#include "registration.hpp"
#include "runs_text.hpp"
#include "source.hpp"
#include "times.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/user.hpp>
#include <outbox/delivery/settings.hpp>
#include <outbox/kafka/options.hpp>
#include <outbox/postgres/options.hpp>
#include <outbox/store/archive.hpp>
#include <outbox/store/history.hpp>
#include <outbox/store/schema.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <tuple>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

constexpr auto program = "outbox-backfill";

/// Database, replica, Kafka and names, from settings and request, checked against each other.
Surroundings surroundings_of(const Settings& settings, const Request& request) {
    Surroundings all;
    all.primary = postgres::options_from(settings, program);
    all.primary.statement_timeout = statement_time;
    all.primary.lock_timeout = 5s;
    all.primary.idle_in_transaction_timeout = statement_time;
    if (request.read_host) {
        all.replica = all.primary;
        all.replica->primary = false;
        all.replica->host = request.read_host->host;
        all.replica->port = request.read_host->port.value_or(all.primary.port);
    }
    all.kafka = kafka::client_options(settings, program);
    all.topics = delivery::topic_policy(settings);
    all.topics.metadata_interval = kafka::metadata_interval(all.kafka);
    all.outbox = delivery::outbox_name(settings);
    if (!kafka::is_topic_name(all.prefix())) {
        throw UsageError(
            fmt::format("OUTBOX_NAME={} is not allowed: it must be letters, digits, '.', '_' or '-', at"
                        " most 233 of them, because it names the topic {}",
                        all.outbox, all.prefix()));
    }
    const std::string control = "outbox." + all.outbox + ".control";
    if (const auto& topic = request.target.topic; topic && (*topic == all.prefix() || *topic == control)) {
        throw UsageError(fmt::format(
            "--topic={} is not allowed: it is this outbox's own, and says what was sent", *topic));
    }
    return all;
}

/// A line that is drawn anew on a terminal; elsewhere one now and then.
class ProgressPrinter {
public:
    ProgressPrinter() = default;
    ProgressPrinter(const ProgressPrinter&) = delete;
    ProgressPrinter& operator=(const ProgressPrinter&) = delete;
    ~ProgressPrinter() { end_line(); }

    /// What the lines are about from now on.
    void name(const std::string& run) { about_ = fmt::format("{}: {}", program, run); }
    void end_line() {
        if (std::exchange(drawn_, false)) {
            std::cerr << '\n';
        }
    }
    Reporter reporter() {
        return {
            [this](const std::string& text) { print(text, text, false); },
            [this](const Progress& progress) { print(progress.bar(), progress.line(), progress.complete()); },
            [this](const std::string& text) {
                end_line();
                std::cerr << about_ << ": " << text << '\n';
            }};
    }

private:
    void print(const std::string& drawn, const std::string& line, bool last) {
        if (terminal_) {
            std::cerr << "\r\x1b[K" << drawn << std::flush;
            drawn_ = true;
        } else if (const auto now = SteadyClock::now(); now >= next_ || last) {
            next_ = now + 5s;
            std::cerr << about_ << ": " << line << '\n';
        }
    }

    std::string about_ = program;
    bool terminal_ = isatty(STDERR_FILENO) == 1;
    bool drawn_ = false;
    SteadyClock::time_point next_ = SteadyClock::now() + 5s;
};

/// @return the exit code: a result that could not be written is a failure
int printed() {
    return std::cout.flush() ? 0 : 1;
}

/// Counts and reports; sends nothing and writes nothing down.
int dry_run(const Surroundings& surroundings, const Request& request, const std::function<bool()>& go_on) {
    auto primary = postgres::Connection::open(surroundings.primary, Deadline::in(10s));
    store::Backfills runs(primary, statement_time);
    ProgressPrinter printer;
    const Members members = find_members(surroundings, runs, primary, request, printer.reporter(), go_on);
    auto history = history_of(surroundings, primary, members, go_on);
    const Survey& survey = members.survey;
    printer.end_line();
    Outlook outlook{history.describe(survey.first), history.describe(survey.last), 0, {}};
    std::tie(outlook.events_per_second, outlook.speed_of) = expected_speed(runs.all(), request.rate);
    std::cout << report(survey, request.target, outlook);
    for (const std::string& line : members.notes) {
        std::cerr << fmt::format("{}: {}\n", program, line);
    }
    for (const std::string& line : members.left_out) {
        std::cerr << fmt::format("{}: left out: {}\n", program, line);
    }
    return members.left_out.empty() || request.allow_left_out ? printed() : 1;
}

/// What is said at the end.
int conclude(const Request& request, const store::BackfillRun& run, Ending ending, std::int64_t published) {
    switch (ending) {
    case Ending::done:
        std::cout << fmt::format("run {} is done: {} events published\n", run.run, published);
        if (published != run.events) {
            std::cerr << fmt::format("{}: {} events were counted at the start, {} were published: the others "
                                     "were deleted, or changed their status, meanwhile\n",
                                     program, run.events, published);
            return request.allow_left_out ? printed() : 1;
        }
        return printed();
    case Ending::cancelled:
        throw Error(Action::stop,
                    fmt::format("run {} is cancelled; {} events were published", run.run, published));
    case Ending::stopped:
        break;
    }
    throw Error(Action::stop,
                fmt::format("run {} is interrupted at {} of {} events; the same command goes on", run.run,
                            published, run.events));
}

/// @throws Error with what to type when the schema is missing or older
void check_database(const Surroundings& surroundings) {
    auto primary = postgres::Connection::open(surroundings.primary, Deadline::in(10s));
    store::check_schema(primary, statement_time);
    if (const auto since = store::sent_deleted_since(primary, statement_time)) {
        std::cerr << fmt::format(
            "{}: relays delete events that are sent, since {} (RELAY_ON_SENT=delete): what "
            "the table does not hold any more cannot be replayed\n",
            program, *since);
    }
}

/// Turns --archive into SQL, once it is known that the table can be read.
void find_archive(const Surroundings& surroundings, Selection& selection) {
    if (selection.archive) {
        auto primary = postgres::Connection::open(surroundings.primary, Deadline::in(10s));
        selection.filter.archived = store::archived_events(primary, *selection.archive, statement_time);
    }
}

/// Registers the run, or finds it, and publishes it to its end.
int replay(const Surroundings& surroundings, const Request& request, const std::function<bool()>& go_on) {
    ProgressPrinter printer;
    const Registered registered = register_run(surroundings, request, printer.reporter(), go_on);
    printer.end_line();
    const store::BackfillRun& run = registered.run;
    if (run.finished_at) {
        return conclude(request, run, Ending::done, run.published);
    }
    if (run.cancelled_at) {
        return conclude(request, run, Ending::cancelled, run.published);
    }
    std::cout << fmt::format("run {}: {}{} events\n", run.run, registered.resumed ? "goes on, " : "",
                             run.events)
              << std::flush;
    messages::warn_of_order(*request.target.messages.strategy);
    printer.name(run.run);
    Replay replay(surroundings, request, run, printer.reporter(), go_on);
    const Ending ending = replay.run();
    printer.end_line();
    return conclude(request, run, ending, replay.published());
}

/// @throws Error(stop) when there is no run of that name
store::BackfillRun named(store::Backfills& runs, const std::string& name) {
    auto run = runs.find(name);
    if (!run) {
        throw Error(Action::stop, fmt::format("there is no run {}; outbox-backfill list has them all", name));
    }
    return *run;
}

/// `outbox-backfill list`: all runs that were ever registered, from the database alone.
int list(const Surroundings& surroundings) {
    auto primary = postgres::Connection::open(surroundings.primary, Deadline::in(10s));
    std::cout << list_text(store::Backfills(primary, statement_time).all());
    return printed();
}

/// `outbox-backfill show`. How far an unfinished run is stands in Kafka: what the database holds is
/// written now and then, and is only a hint.
int show(const Surroundings& surroundings, const std::string& name, const std::function<bool()>& go_on) {
    auto primary = postgres::Connection::open(surroundings.primary, Deadline::in(10s));
    store::Backfills runs(primary, statement_time);
    const store::BackfillRun run = named(runs, name);
    std::int64_t published = run.published;
    if (!run.finished_at) {
        const kafka::Admin admin(surroundings.kafka);
        published = read_position(surroundings, admin, run, go_on).published();
    }
    std::cout << show_text(run, published);
    return printed();
}

/// `outbox-backfill cancel`. The run that publishes notices it within moments; what was published
/// stays.
int cancel(const Surroundings& surroundings, const std::string& name) {
    auto primary = postgres::Connection::open(surroundings.primary, Deadline::in(10s));
    store::Backfills runs(primary, statement_time);
    const store::BackfillRun run = named(runs, name);
    if (!runs.cancel(run, user_and_host()) && !run.cancelled_at) {
        throw Error(Action::stop, fmt::format("run {} is done: nothing takes it back", name));
    }
    std::cout << fmt::format("run {} is cancelled; {} of {} events were published\n", name, run.published,
                             run.events);
    return printed();
}

} // namespace

/// The program's work after its command line was read. Schema and database are checked first, so that a
/// wrong database is told before anything is counted.
int run(const Arguments& arguments, const std::function<bool()>& go_on) {
    Request request = parse_request(arguments);
    const Surroundings surroundings = surroundings_of(arguments.settings, request);
    check_database(surroundings);
    switch (request.verb) {
    case Verb::list:
        return list(surroundings);
    case Verb::show:
        return show(surroundings, *request.run, go_on);
    case Verb::cancel:
        return cancel(surroundings, *request.run);
    case Verb::replay:
        break;
    }
    find_archive(surroundings, request.selection);
    return request.dry_run ? dry_run(surroundings, request, go_on) : replay(surroundings, request, go_on);
}

} // namespace outbox::backfill
