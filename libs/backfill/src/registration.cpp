// From a command line to a run that is written down. The order keeps two things true: nothing is sent
// before everything that could refuse it was asked, and a run that exists in the database is complete,
// so that any process can go on with it. Two processes with one command are kept apart by a lock on its
// words.

#include "registration.hpp"

#include "count.hpp"
#include "shaper.hpp"
#include "source.hpp"
#include "times.hpp"

#include <outbox/core/error.hpp>
#include <outbox/delivery/control_topic.hpp>
#include <outbox/faults/faults.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

/// "replay-20260102-030405-1a2b"
std::string generated_name(const Uuid& id) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    return fmt::format("replay-{:04}{:02}{:02}-{:02}{:02}{:02}-{}", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, id.to_string().substr(0, 4));
}

/// The outbox must be the one that this Kafka and this name belong to; else events would go astray.
void check_identity(store::Backfills& runs, const kafka::Admin& admin, const Surroundings& surroundings) {
    const store::OutboxIdentity identity = runs.identity();
    if (identity.name && *identity.name != surroundings.outbox) {
        throw Error(Action::stop,
                    fmt::format("this database's outbox belongs to the name '{}', not '{}': set OUTBOX_NAME "
                                "to the first",
                                *identity.name, surroundings.outbox));
    }
    const std::string cluster = admin.cluster_id(Deadline::in(10s));
    if (identity.cluster_id && *identity.cluster_id != cluster) {
        throw Error(Action::stop,
                    fmt::format("this database's outbox belongs to the Kafka cluster '{}', not '{}': check "
                                "KAFKA_BROKERS",
                                *identity.cluster_id, cluster));
    }
}

/// An unfinished run of the same words, or the one that was named. @throws UsageError when it does
/// another thing
std::optional<store::BackfillRun> find_run(store::Backfills& runs, const Request& request) {
    if (!request.run) {
        return runs.find_unfinished(request.selection.text, request.target.text);
    }
    auto found = runs.find(*request.run);
    if (found && (found->selection != request.selection.text || found->target != request.target.text)) {
        throw UsageError(fmt::format(
            "run {} is about {} {}, not {} {}: choose another name, or give it the same options", found->run,
            found->selection, found->target, request.selection.text, request.target.text));
    }
    return found;
}

/// What is counted now cannot be found yet, and counting takes long. A killed process's session ends within
/// moments.
void hold_registration(store::Backfills& runs, const Request& request, const std::function<bool()>& go_on) {
    const Deadline deadline = Deadline::in(10s);
    const auto words = request.run.value_or(request.selection.text + '\n' + request.target.text);
    while (!runs.hold_registration(words)) {
        if (deadline.passed() || !go_on()) {
            throw Error(Action::stop,
                        "another process is counting the events of the same run: wait until it has"
                        " begun to send, or end it");
        }
        poll(nullptr, 0, 100);
    }
}

/// @throws UsageError when consumers of the relay's events read the topic
void check_consumers(store::Backfills& runs, const std::string& topic, const Survey& survey) {
    if (const auto found = survey.topics.find(topic); found != survey.topics.end()) {
        throw UsageError(fmt::format(
            "{} of the events come from topic {} itself, whose consumers will see them again: add "
            "--yes, or name another with --topic",
            found->second, topic));
    }
    if (runs.was_sent_to(topic)) {
        throw UsageError(fmt::format("the relay has sent events to topic {}, whose consumers will see these "
                                     "as well: add --yes, or name another with --topic",
                                     topic));
    }
}

/// Says which events are too old for their topics to carry their own time there.
void note_outlived(const std::string& topic, const kafka::TopicLimits& limits, const Survey::Days& days,
                   const Reporter& reporter) {
    const auto now = std::chrono::system_clock::now();
    const auto now_ms = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
    std::int64_t events = 0;
    for (const auto& [day, count] : days) {
        std::tm parts{};
        if (strptime(day.c_str(), "%Y-%m-%d", &parts) == nullptr) {
            continue; // the time is not known
        }
        events +=
            messages::stamp_for(std::int64_t{timegm(&parts)} * 1000, now_ms, limits).outlived ? count : 0;
    }
    if (events > 0) {
        reporter.note(
            fmt::format("up to {} events are older than topic {} keeps records: their messages will carry "
                        "the time of the replay, not the original one",
                        events, topic));
    }
}

/// @throws for topics that cannot be sent to, before anything is written
void check_topics(const Surroundings& surroundings, const kafka::Admin& admin, const Target& target,
                  const Survey& survey, const Reporter& reporter) {
    delivery::TopicPolicy policy = surroundings.topics;
    policy.announce = false; // the run ends with the reason
    delivery::TopicLog log;
    delivery::Topics topics(admin, surroundings.kafka, std::move(policy), log);
    std::map<std::string, Survey::Days> wanted = survey.topic_days;
    if (target.topic) {
        wanted = {{*target.topic, survey.days}};
    }
    for (const auto& [topic, days] : wanted) {
        const auto verdict = open_topic(topics, topic, Deadline::in(20s));
        if (target.original_timestamp) {
            note_outlived(topic, verdict.limits, days, reporter);
        }
    }
}

/// A topic that was just made has a leader that does not know it yet.
std::int64_t control_end(const kafka::Admin& admin, const std::string& topic, std::int32_t partition,
                         Deadline deadline) {
    while (true) {
        try {
            return admin.watermarks(topic, partition, deadline).second;
        } catch (const kafka::KafkaError& error) {
            if (error.blame() != kafka::Blame::nobody || deadline.passed()) {
                throw;
            }
        }
        poll(nullptr, 0, 50);
    }
}

/// @throws Error(stop) when something that was asked for would not be sent, and that is not allowed
void check_left_out(const Request& request, const Members& members) {
    if (!members.left_out.empty() && !request.allow_left_out) {
        throw Error(Action::stop,
                    fmt::format("{}; nothing was sent; to send the other {} events: --allow-left-out",
                                fmt::join(members.left_out, "; "), members.survey.events));
    }
}

/// A job that is started again after its end must not send everything twice.
/// @throws Error(stop) when an equal run, whose name was not the user's, is done
void check_done_before(store::Backfills& runs, const Request& request) {
    if (request.run || request.again) {
        return;
    }
    const Selection selection = with_times(runs, request.selection);
    store::BackfillRun wanted;
    wanted.selection = selection.text;
    wanted.target = request.target.text;
    wanted.since = selection.filter.since;
    wanted.until = selection.filter.until;
    if (const auto before = runs.find_finished(wanted)) {
        throw Error(
            Action::stop,
            fmt::format("the same command is done: run {} published {} events by {}; nothing was sent; to "
                        "send them once more: --again, or --run with a new name",
                        before->run, before->published, before->finished_at.value_or("now")));
    }
}

/// Fixes what the run is about, and writes it down.
store::BackfillRun add_run(store::Backfills& runs, postgres::Connection& primary,
                           const Surroundings& surroundings, const kafka::Admin& admin,
                           const Request& request, const Reporter& reporter,
                           const std::function<bool()>& go_on) {
    store::BackfillRun run;
    run.id = Uuid::random();
    run.run = request.run.value_or(generated_name(run.id));
    run.generated = !request.run;
    run.selection = request.selection.text;
    run.target = request.target.text;
    run.lanes = default_lanes;

    // The range is fixed and counted first: everything that follows is asked about these events.
    const Members members = find_members(surroundings, runs, primary, request, reporter, go_on);
    const Survey& survey = members.survey;
    run.since = members.selection.filter.since;
    run.until = members.selection.filter.until;
    run.still = members.still;
    run.events = survey.events;
    // Nothing above the last event of the range belongs to the run, so there is no use in looking
    // there.
    run.still.last_seq = survey.last;
    check_left_out(request, members);
    for (const std::string& line : members.notes) {
        reporter.note(line);
    }
    for (const std::string& line : members.left_out) {
        reporter.note("left out: " + line);
    }

    // Sending old events to where consumers of the relay read must be meant.
    if (request.target.topic && !request.yes) {
        check_consumers(runs, *request.target.topic, survey);
    }
    // Each topic must exist, or be made, before the run is written down: a run that cannot send is
    // of no use.
    check_topics(surroundings, admin, request.target, survey, reporter);
    const Deadline deadline = Deadline::in(30s);
    delivery::ensure_control_topic(admin, {surroundings.prefix(), control_partitions}, surroundings.topics,
                                   deadline);
    // Records of this run lie behind the present end of its control partition, so a resume begins
    // there.
    run.control_offset = control_end(admin, surroundings.prefix(), control_partition(run.id), deadline);
    faults::point("before-registration");
    return runs.add(run);
}

} // namespace

/// For the estimate of a dry run, and where the number comes from.
std::pair<double, std::string> expected_speed(const std::vector<store::BackfillRun>& runs,
                                              std::optional<std::int64_t> rate) {
    constexpr double usual = 20'000;
    if (rate) {
        return {static_cast<double>(*rate), "--rate"};
    }
    // The fastest: the others were interrupted, or held back.
    const auto best = std::max_element(runs.begin(), runs.end(),
                                       [](const auto& a, const auto& b) { return a.speed < b.speed; });
    return best != runs.end() && best->speed > 0
               ? std::pair(best->speed, "as run " + best->run)
               : std::pair(usual, std::string("a guess: no run has finished here yet"));
}

/// Finds the run that the same words have begun, or registers a new one. Two processes with the same
/// words meet at the lock of the registration, so that there is one run and not two.
Registered register_run(const Surroundings& surroundings, const Request& request, const Reporter& reporter,
                        const std::function<bool()>& go_on) {
    auto primary = postgres::Connection::open(surroundings.primary, Deadline::in(10s));
    // In this order: whose outbox, whether another process is at it, whether it is an old run, and
    // only then anew.
    store::Backfills runs(primary, statement_time);
    const kafka::Admin admin(surroundings.kafka);
    check_identity(runs, admin, surroundings);
    hold_registration(runs, request, go_on);
    if (auto found = find_run(runs, request)) {
        if (!found->finished_at && !found->cancelled_at) {
            summarize(runs, request.selection, reporter, go_on);
        }
        return {std::move(*found), true};
    }
    if (surroundings.replica) { // one that cannot be read from is named first
        open_source(surroundings, primary, runs.log_position(), go_on);
    }
    check_done_before(runs, request);
    Registered registered{add_run(runs, primary, surroundings, admin, request, reporter, go_on), false};
    faults::point("after-registration");
    return registered;
}

} // namespace outbox::backfill
