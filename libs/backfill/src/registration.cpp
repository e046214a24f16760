#include "registration.hpp"

#include "count.hpp"
#include "shaper.hpp"
#include "source.hpp"

#include <outbox/core/error.hpp>
#include <outbox/relay/control_topic.hpp>
#include <outbox/relay/fault_point.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <ctime>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds statement_time{60'000};

/// "replay-20260102-030405-1a2b"
std::string generated_name(const Uuid& id) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    return fmt::format("replay-{:04}{:02}{:02}-{:02}{:02}{:02}-{}", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, id.to_string().substr(0, 4));
}

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

/// @throws for topics that cannot be sent to, before anything is written
void check_topics(const Surroundings& surroundings, const kafka::Admin& admin,
                  const std::optional<std::string>& wanted, const Survey& survey) {
    relay::Topics topics(admin, surroundings.topics);
    if (wanted) {
        open_topic(topics, *wanted, Deadline::in(20s));
        return;
    }
    for (const auto& [topic, events] : survey.topics) {
        open_topic(topics, topic, Deadline::in(20s));
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

    Selection selection = with_times(runs, request.selection);
    run.since = selection.filter.since;
    run.until = selection.filter.until;
    run.still = runs.stand_still(selection.filter.archived, Deadline::in(60s));
    selection.filter.done_by = run.still.done_by;

    store::History history([&] { return open_source(surroundings, primary, run.still.log_position, go_on); },
                           selection.filter, statement_time);
    const Survey survey = count_events(runs, history, selection, request.target.messages.topic,
                                       run.still.last_seq, reporter, go_on);
    run.events = survey.events;
    run.still.last_seq = survey.last;

    if (request.target.topic && !request.yes) {
        check_consumers(runs, *request.target.topic, survey);
    }
    check_topics(surroundings, admin, request.target.topic, survey);
    const Deadline deadline = Deadline::in(30s);
    relay::ensure_control_topic(admin, {surroundings.prefix(), control_partitions}, surroundings.topics,
                                deadline);
    run.control_offset = control_end(admin, surroundings.prefix(), control_partition(run.id), deadline);
    relay::fault_point("before-registration");
    return runs.add(run);
}

} // namespace

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

Registered register_run(const Surroundings& surroundings, const Request& request, const Reporter& reporter,
                        const std::function<bool()>& go_on) {
    auto primary = postgres::Connection::open(surroundings.primary, Deadline::in(10s));
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
    Registered registered{add_run(runs, primary, surroundings, admin, request, reporter, go_on), false};
    relay::fault_point("after-registration");
    return registered;
}

} // namespace outbox::backfill
