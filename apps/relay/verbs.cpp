// The operator's verbs: what they take, and what they print. Each function below reads its options,
// refuses what makes no sense before a session is opened, calls the deed in libs/operator, and prints
// what it returns. `table()` at the end names all verbs with their help, so a new verb is a function
// and a row.
#include "verbs.hpp"

#include "cluster.hpp"

#include <outbox/check/check.hpp>
#include <outbox/core/error.hpp>
#include <outbox/core/event.hpp>
#include <outbox/delivery/control_topic.hpp>
#include <outbox/faults/faults.hpp>
#include <outbox/operator/failed.hpp>
#include <outbox/operator/status.hpp>
#include <outbox/operator/verbs.hpp>
#include <outbox/relay/options.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <tuple>

namespace outbox {
namespace {

/// Which events retry and skip are about. An id names one event; type and time narrow a set together.
verbs::Selection selection_of(const Arguments& arguments) {
    verbs::Selection selection;
    selection.event_type = arguments.option("event-type");
    selection.failed_since = arguments.option("failed-since");
    if (const auto id = arguments.option("id")) {
        selection.id = Uuid::parse(*id);
        if (!selection.id) {
            throw UsageError(fmt::format("--id={} is not allowed: it must be a UUID", *id));
        }
        if (selection.event_type || selection.failed_since) {
            throw UsageError("--id names one event: neither --event-type nor --failed-since goes with it");
        }
    } else if (!selection.event_type && !selection.failed_since) {
        throw UsageError(fmt::format("{} needs --id, --event-type or --failed-since", arguments.words[0]));
    }
    return selection;
}

/// nullopt for anything but digits, and for what is too large for an int.
std::optional<int> whole_number(const std::string& text) {
    int number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc{} && end == text.data() + text.size() && number >= 0;
    return whole ? std::optional(number) : std::nullopt;
}

/// What pause and resume are about: one topic, one shard, or everything.
verbs::Target target_of(const Arguments& arguments) {
    const auto topic = arguments.option("topic");
    const auto shard = arguments.option("shard");
    if (topic && shard) {
        throw UsageError("--topic and --shard do not go together");
    }
    if (shard) {
        const auto number = whole_number(*shard);
        if (!number || *number >= bucket_count) {
            throw UsageError(fmt::format("--shard={} is not allowed: it must be a whole number from 0 to {}",
                                         *shard, bucket_count - 1));
        }
        return {verbs::Target::Scope::shard, std::to_string(*number)};
    }
    return topic ? verbs::Target{verbs::Target::Scope::topic, *topic} : verbs::Target{};
}

/// Why, and whether the operator insists; both go into outbox_audit.
verbs::Motive motive_of(const Arguments& arguments) {
    return {arguments.option("reason"), arguments.given("force")};
}

/// Prints what was done on stdout and what was refused on stderr. Both can happen: some events were
/// done.
/// @return the exit code
int report(const char* verb, const verbs::Outcome& outcome) {
    if (outcome.done) {
        std::cout << verb << ": " << *outcome.done << '\n' << std::flush;
    }
    if (outcome.refused) {
        std::cerr << "outbox-relay: " << verb << ": " << *outcome.refused << '\n';
    }
    return outcome.refused || !std::cout ? 1 : 0;
}

/// From which point on `status` calls it an alarm.
verbs::Limits limits_of(const Arguments& arguments) {
    verbs::Limits limits;
    const auto number = [&](const char* name) -> std::optional<int> {
        const auto text = arguments.option(name);
        const auto given = text ? whole_number(*text) : std::nullopt;
        if (text && !given) {
            throw UsageError(
                fmt::format("--{}={} is not allowed: it must be a whole number, 0 or more", name, *text));
        }
        return given;
    };
    if (const auto age = number("max-age")) {
        limits.max_age = std::chrono::seconds(*age);
    }
    limits.max_failed = number("max-failed").value_or(static_cast<int>(limits.max_failed));
    return limits;
}

/// Reads, prints, and ends with 1 when somebody should look: what watches a relay needs the exit code
/// alone.
int status(const Arguments& arguments) {
    // Bad numbers are refused before a session is opened, here as in each of the others.
    const auto limits = limits_of(arguments);
    auto session = verbs::open_session(arguments.settings);
    const auto seen = verbs::read_status(session, limits);
    std::cout << (arguments.given("json") ? verbs::to_json(seen) : verbs::to_table(seen)) << std::flush;
    return seen.healthy() && std::cout ? 0 : 1;
}

/// Prints FAILED events in groups. It ends with 0 also when there are some: that is `status`'s to
/// judge.
int failed(const Arguments& arguments) {
    if (arguments.given("type") && arguments.given("event-type")) {
        throw UsageError("--type and --event-type are one option: name it once");
    }
    const verbs::FailedFilter filter{arguments.option("topic"),
                                     arguments.option(arguments.given("type") ? "type" : "event-type"),
                                     arguments.option("since")};
    auto session = verbs::open_session(arguments.settings);
    const auto found = verbs::read_failed(session, filter);
    std::cout << (arguments.given("json") ? verbs::to_json(found) : verbs::to_text(found)) << std::flush;
    return std::cout ? 0 : 1;
}

/// FAILED events become NEW again.
int retry(const Arguments& arguments) {
    const auto selection = selection_of(arguments);
    auto session = verbs::open_session(arguments.settings);
    return report("retry", verbs::retry(session, selection, motive_of(arguments)));
}

/// Gives events up for good. A reason is required, because an event that is never sent is a gap that
/// consumers will ask about.
int skip(const Arguments& arguments) {
    const auto selection = selection_of(arguments);
    const auto motive = motive_of(arguments);
    if (motive.why.value_or("").empty()) {
        throw UsageError("skip needs --reason: the events are never sent, and somebody will ask why");
    }
    auto session = verbs::open_session(arguments.settings);
    return report("skip", verbs::skip(session, selection, motive));
}

/// Keeps relays from claiming more: of everything, of one topic or of one shard.
int pause(const Arguments& arguments) {
    const auto target = target_of(arguments);
    auto session = verbs::open_session(arguments.settings);
    return report("pause", verbs::pause(session, target, motive_of(arguments)));
}

/// Takes a pause back, and has stopped shards tried again.
int resume(const Arguments& arguments) {
    const auto target = target_of(arguments);
    auto session = verbs::open_session(arguments.settings);
    return report("resume", verbs::resume(session, target, motive_of(arguments)));
}

/// The control topic gets its partitions first: a shard without one could send nothing.
int reshard(const Arguments& arguments) {
    const auto& words = arguments.words;
    const auto shards = words.size() > 1 ? whole_number(words[1]) : std::nullopt;
    if (!shards || *shards < 1 || *shards > bucket_count) {
        throw UsageError(
            fmt::format("reshard needs the new number of shards, a whole number from 1 to {}", bucket_count));
    }
    constexpr milliseconds patience{60'000};
    const auto options = relay::relay_options(arguments.settings);
    auto session = verbs::open_session(arguments.settings);
    if (auto refused = verbs::of_another_name(session, options.name)) {
        return report("reshard", {{}, std::move(refused)}); // the topic of that name is another outbox's
    }
    // Kafka is asked before PostgreSQL is changed: a reshard needs both, and half of it is of no use.
    const kafka::Admin admin(options.kafka);
    std::ignore = admin.cluster_id(Deadline::in(milliseconds(10'000))); // whether anybody answers
    delivery::ensure_control_topic(admin, {options.control_topic(), *shards}, options.topics,
                                   Deadline::in(patience));
    return report("reshard", verbs::reshard(session, *shards, motive_of(arguments), patience,
                                            [](const char* point) { faults::point(point); }));
}

/// Ties this database to this cluster and name, as a new outbox.
int adopt(const Arguments& arguments) {
    const auto options = relay::relay_options(arguments.settings);
    const auto cluster = open_cluster(options);
    auto session = verbs::open_session(arguments.settings);
    return report("adopt", verbs::adopt(session, *cluster, options.name, motive_of(arguments)));
}

/// Settles events by what the topics hold. Without --apply it only says what it would do.
int reconcile(const Arguments& arguments) {
    const auto options = relay::relay_options(arguments.settings);
    const auto cluster = open_cluster(options);
    auto session = verbs::open_session(arguments.settings);
    return report("reconcile", verbs::reconcile(session, *cluster,
                                                {options.name, options.dead_letter_topic,
                                                 arguments.settings.text("RELAY_FORMAT") == "raw",
                                                 arguments.given("apply")},
                                                motive_of(arguments)));
}

/// Where events of a kind go, by RELAY_TOPIC.
std::string topic_of(const relay::RelayOptions& options, const std::string& topic,
                     const std::string& aggregate_type, const std::string& event_type) {
    store::Row row;
    row.topic = topic;
    row.aggregate_type = aggregate_type;
    row.event_type = event_type;
    messages::Arena arena;
    return std::string(options.messages.topic.topic_of(row, arena));
}

/// Tries what a relay with these settings will need, and prints a line for each.
int check(const Arguments& arguments) {
    const auto options = relay::relay_options(arguments.settings);
    check::Request request{.needs = check::Needs::relay,
                           .database = options.database,
                           .kafka = options.kafka,
                           .topics = options.topics,
                           .outbox_name = options.name,
                           .control_topic = options.control_topic(),
                           .control_partitions = options.first_shards};
    if (!options.dead_letter_topic.empty()) {
        request.event_topics.push_back(options.dead_letter_topic);
    }
    request.topic_of = [&options](const std::string& topic, const std::string& aggregate_type,
                                  const std::string& event_type) {
        return topic_of(options, topic, aggregate_type, event_type);
    };
    const auto lines = check::run(request);
    std::cout << (arguments.given("json") ? check::to_json("outbox-relay", lines) : check::to_text(lines))
              << std::flush;
    return check::fails(lines) || !std::cout ? 1 : 0;
}

/// The deed of a verb. @return the exit code
using Run = int (*)(const Arguments&);

constexpr auto exit_codes = "0 done, 1 refused or failed, 2 bad usage";
constexpr auto audited = "Leaves a row in outbox_audit.";
constexpr auto to_kafka = "DB_*, KAFKA_*, OUTBOX_NAME, RELAY_*";

const Option which_id{"id", "UUID", "this event"};
const Option why{"reason", "TEXT", "why, for outbox_audit"};
const Option which_topic{"topic", "NAME", "only events of this topic"};
const Option which_shard{"shard", "NUMBER", "only events of this shard"};

/// Each verb of outbox-relay, with all that its --help says, and what does it.
const std::vector<std::pair<Verb, Run>>& table() {
    static const std::vector<std::pair<Verb, Run>> verbs{
        {{.name = "status",
          .words = "",
          .summary = "shards, relays, backlog, and what is FAILED or paused",
          .about = "Changes nothing.",
          .options = {{"json", "", "one JSON document in place of the table"},
                      {"max-age", "SECONDS",
                       "exit 1 when an unsent event is older; not asked for if left out"},
                      {"max-failed", "NUMBER", "exit 1 when more events are FAILED, 999 if left out"}},
          .settings = "DB_*",
          .exit_codes = "0 all is well, 1 a shard is stopped, recovers or has no living owner, a topic takes "
                        "nothing, there is an alarm, "
                        "or the database cannot be read, 2 bad usage",
          .example = "outbox-relay status --json | jq .healthy"},
         status},
        {{.name = "check",
          .words = "",
          .summary = "tries what a relay will need, before one is started",
          .about =
              "Name, port, TLS, login, versions, settings, rights, topics: a line each, OK, WARN, FAIL or "
              "SKIP, with what to type.\nNames no secret, and changes nothing. What hangs is given up after "
              "a "
              "few seconds.",
          .options = {{"json", "", "one JSON document in place of the lines"}},
          .settings = to_kafka,
          .exit_codes = "0 no FAIL, 1 a FAIL, 2 bad usage or a bad setting",
          .example = "outbox-relay check --json | jq '.checks[] | select(.status != \"OK\")'"},
         check},
        {{.name = "failed",
          .words = "",
          .summary = "FAILED events, grouped by topic and message",
          .about =
              "How many each, since when, one example, and what to type when the cause is mended. Messages "
              "that differ "
              "only in numbers and ids count as one.\nShows the hundred largest groups. Changes nothing.",
          .options = {{"topic", "NAME", "only events of this topic"},
                      {"type", "TYPE", "only events of this type"},
                      {"event-type", "TYPE", "the same"},
                      {"since", "TIME",
                       "only events that are FAILED since this time, as PostgreSQL reads it"},
                      {"json", "", "one JSON document in place of the text"}},
          .settings = "DB_*",
          .exit_codes = "0 done, 1 the database cannot be read, 2 bad usage",
          .example = "outbox-relay failed --topic user-events --since yesterday"},
         failed},
        {{.name = "retry",
          .words = "",
          .summary = "FAILED events are sent again",
          .about =
              std::string(
                  "They become NEW, with all attempts ahead. Needs --id, or one or both of --event-type and "
                  "--failed-since.\nEvents whose key has later events in Kafka already are left FAILED, "
                  "unless forced. ") +
              audited,
          .options = {which_id,
                      {"event-type", "TYPE", "FAILED events of this type"},
                      {"failed-since", "TIME",
                       "events that are FAILED since this time, as PostgreSQL reads it"},
                      why,
                      {"force", "", "also what breaks the order of a key"}},
          .settings = "DB_*",
          .exit_codes = exit_codes,
          .example = "outbox-relay retry --event-type user.created --reason 'the topic is back'"},
         retry},
        {{.name = "skip",
          .words = "",
          .summary = "events that are not sent never will be",
          .about = std::string("They become SKIPPED, and their keys go on. Needs --reason, and --id or one "
                               "or both of --event-type "
                               "and --failed-since.\nEvents that may be at the broker now are left as they "
                               "are, unless forced. ") +
                   audited,
          .options = {which_id,
                      {"event-type", "TYPE", "events of this type, unsent ones as well as FAILED ones"},
                      {"failed-since", "TIME",
                       "events that are FAILED since this time, as PostgreSQL reads it"},
                      why,
                      {"force", "", "also what may be at the broker"}},
          .settings = "DB_*",
          .exit_codes = exit_codes,
          .example = "outbox-relay skip --id 0b7c3c1e-7d1f-4a38-9c39-94f1d0f5a0a1 --reason 'sent by hand'"},
         skip},
        {{.name = "pause",
          .words = "",
          .summary = "nothing more is claimed: of all, of one --topic or of one --shard",
          .about =
              std::string(
                  "What is in flight is finished. Outlives restarts, until `resume` with the same target. ") +
              audited,
          .options = {which_topic, which_shard, why},
          .settings = "DB_*",
          .exit_codes = exit_codes,
          .example = "outbox-relay pause --topic user-events --reason 'the consumer is being repaired'"},
         pause},
        {{.name = "resume",
          .words = "",
          .summary = "what was paused goes on, and shards that were stopped are tried again",
          .about =
              std::string(
                  "Name the same target as `pause` did; `outbox-relay status` shows it. A stopped shard is "
                  "recovered from the beginning, without a restart, and stops again while the cause "
                  "is still there. ") +
              audited,
          .options = {which_topic, which_shard, why},
          .settings = "DB_*",
          .exit_codes = exit_codes,
          .example = "outbox-relay resume --topic user-events"},
         resume},
        {{.name = "reshard",
          .words = "N",
          .summary = "from now on there are N shards, while relays and writers run",
          .about = std::string("Delivery stands still for about a second. The control topic gets a partition "
                               "for each shard. ") +
                   audited,
          .options = {why,
                      {"force", "", "also while a shard is paused: its number will stand for other keys"}},
          .settings = to_kafka,
          .exit_codes = exit_codes,
          .example = "outbox-relay reshard 16 --reason 'more relays'"},
         reshard},
        {{.name = "adopt",
          .words = "",
          .summary = "this database belongs to this cluster and OUTBOX_NAME from now on, as a new outbox",
          .about = std::string("After a move to another Kafka cluster, or for a copy of a database. Stop the "
                               "relays first. ") +
                   audited,
          .options = {why, {"force", "", "also when events may be sent again"}},
          .settings = to_kafka,
          .exit_codes = exit_codes,
          .example = "outbox-relay adopt --kafka-brokers new-kafka:9092 --reason 'moved to the new cluster'"},
         adopt},
        {{.name = "reconcile",
          .words = "",
          .summary =
              "events are settled by what the topics hold, after a restore or the loss of the control topic",
          .about = std::string("Says only what it would do, without --apply. Stop the relays first. With "
                               "--apply it leaves a row in "
                               "outbox_audit."),
          .options = {{"apply", "", "do it"}, why, {"force", "", "also when events may be sent again"}},
          .settings = to_kafka,
          .exit_codes = exit_codes,
          .example = "outbox-relay reconcile\noutbox-relay reconcile --apply --reason 'restored from the "
                     "backup of 03:00'"},
         reconcile}};
    return verbs;
}

} // namespace

CommandLineSpec command_line() {
    CommandLineSpec spec{
        .program = Program::relay,
        .name = "outbox-relay",
        .description = "Moves committed events from the outbox table into Kafka, each exactly once.\n"
                       "Start as many as you like: they share the shards. SIGTERM drains.",
        .exit_codes = "0 stopped as asked, or done, 1 failed, 2 bad usage or a bad setting",
        .example = "DB_HOST=db.example.org KAFKA_BROKERS=kafka.example.org:9092 outbox-relay\n"
                   "outbox-relay status"};
    for (const auto& [verb, run] : table()) {
        spec.verbs.push_back(verb);
    }
    return spec;
}

int run_verb(const Arguments& arguments) {
    print_warnings(command_line(), arguments);
    const auto found =
        std::ranges::find(table(), arguments.words[0], [](const auto& row) { return row.first.name; });
    return found->second(arguments);
}

} // namespace outbox
