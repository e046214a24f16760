// The operator's verbs: what they take, and what they print.
#include "verbs.hpp"

#include "cluster.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/event.hpp>
#include <outbox/operator/status.hpp>
#include <outbox/operator/verbs.hpp>
#include <outbox/relay/control_topic.hpp>
#include <outbox/relay/fault_point.hpp>
#include <outbox/relay/options.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iostream>

namespace outbox {
namespace {

constexpr auto names = "status, retry, skip, pause, resume, reshard, adopt or reconcile";

std::optional<std::string> option(const Arguments& arguments, const std::string& name) {
    const auto found = arguments.options.find(name);
    return found == arguments.options.end() ? std::nullopt : std::optional(found->second);
}

bool given(const Arguments& arguments, const std::string& name) {
    return arguments.options.contains(name);
}

verbs::Selection selection_of(const Arguments& arguments) {
    verbs::Selection selection;
    selection.event_type = option(arguments, "event-type");
    selection.failed_since = option(arguments, "failed-since");
    if (const auto id = option(arguments, "id")) {
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

std::optional<int> whole_number(const std::string& text) {
    int number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc{} && end == text.data() + text.size() && number >= 0;
    return whole ? std::optional(number) : std::nullopt;
}

verbs::Target target_of(const Arguments& arguments) {
    const auto topic = option(arguments, "topic");
    const auto shard = option(arguments, "shard");
    if (topic && shard) {
        throw UsageError("--topic and --shard do not go together");
    }
    if (topic && topic->empty()) {
        throw UsageError("--topic= is not allowed: it must be the name of a topic");
    }
    if (shard) {
        const auto number = whole_number(*shard);
        if (!number || *number > 63) {
            throw UsageError(
                fmt::format("--shard={} is not allowed: it must be a whole number from 0 to 63", *shard));
        }
        return {verbs::Target::Scope::shard, std::to_string(*number)};
    }
    return topic ? verbs::Target{verbs::Target::Scope::topic, *topic} : verbs::Target{};
}

verbs::Motive motive_of(const Arguments& arguments) {
    return {option(arguments, "reason"), given(arguments, "force")};
}

int report(const char* verb, const verbs::Outcome& outcome) {
    if (outcome.done) {
        std::cout << verb << ": " << *outcome.done << '\n' << std::flush;
    }
    if (outcome.refused) {
        std::cerr << "outbox-relay: " << verb << ": " << *outcome.refused << '\n';
    }
    return outcome.refused || !std::cout ? 1 : 0;
}

int status(const Arguments& arguments) {
    auto session = verbs::open_session(arguments.settings);
    const auto seen = verbs::read_status(session);
    std::cout << (given(arguments, "json") ? verbs::to_json(seen) : verbs::to_table(seen)) << std::flush;
    return seen.healthy() && std::cout ? 0 : 1;
}

int retry(const Arguments& arguments) {
    const auto selection = selection_of(arguments);
    auto session = verbs::open_session(arguments.settings);
    return report("retry", verbs::retry(session, selection, motive_of(arguments)));
}

int skip(const Arguments& arguments) {
    const auto selection = selection_of(arguments);
    const auto motive = motive_of(arguments);
    if (motive.why.value_or("").empty()) {
        throw UsageError("skip needs --reason: the events are never sent, and somebody will ask why");
    }
    auto session = verbs::open_session(arguments.settings);
    return report("skip", verbs::skip(session, selection, motive));
}

int pause(const Arguments& arguments) {
    const auto target = target_of(arguments);
    auto session = verbs::open_session(arguments.settings);
    return report("pause", verbs::pause(session, target, motive_of(arguments)));
}

int resume(const Arguments& arguments) {
    const auto target = target_of(arguments);
    auto session = verbs::open_session(arguments.settings);
    return report("resume", verbs::resume(session, target, motive_of(arguments)));
}

int reshard(const Arguments& arguments) {
    const auto& words = arguments.words;
    const auto shards = words.size() > 1 ? whole_number(words[1]) : std::nullopt;
    if (!shards || *shards < 1 || *shards > bucket_count) {
        throw UsageError(
            fmt::format("reshard needs the new number of shards, a whole number from 1 to {}", bucket_count));
    }
    constexpr milliseconds patience{60'000};
    const auto options = relay::relay_options(arguments.settings);
    const kafka::Admin admin(options.kafka);
    relay::ensure_control_topic(admin, {options.control_topic(), *shards}, options.topics,
                                Deadline::in(patience));
    auto session = verbs::open_session(arguments.settings);
    return report("reshard", verbs::reshard(session, *shards, motive_of(arguments), patience,
                                            [](const char* point) { relay::fault_point(point); }));
}

int adopt(const Arguments& arguments) {
    const auto options = relay::relay_options(arguments.settings);
    const auto cluster = open_cluster(options);
    auto session = verbs::open_session(arguments.settings);
    return report("adopt", verbs::adopt(session, *cluster, options.name, motive_of(arguments)));
}

int reconcile(const Arguments& arguments) {
    const auto options = relay::relay_options(arguments.settings);
    const auto cluster = open_cluster(options);
    auto session = verbs::open_session(arguments.settings);
    return report("reconcile", verbs::reconcile(session, *cluster,
                                                {options.name, options.dead_letter_topic,
                                                 arguments.settings.text("RELAY_FORMAT") == "raw",
                                                 given(arguments, "apply")},
                                                motive_of(arguments)));
}

struct Verb {
    std::string_view name;
    int (*run)(const Arguments&);
    std::array<std::string_view, 5> options; ///< that belong to it
    std::size_t words = 1;                   ///< with the verb itself
};

constexpr std::array table = std::to_array<Verb>({
    {"status", status, {"json"}},
    {"retry", retry, {"id", "event-type", "failed-since", "reason", "force"}},
    {"skip", skip, {"id", "event-type", "failed-since", "reason", "force"}},
    {"pause", pause, {"topic", "shard", "reason"}},
    {"resume", resume, {"topic", "shard", "reason"}},
    {"reshard", reshard, {"reason", "force"}, 2},
    {"adopt", adopt, {"reason", "force"}},
    {"reconcile", reconcile, {"apply", "reason", "force"}},
});

} // namespace

void add_verbs(CommandLineSpec& spec) {
    spec.description +=
        "\nWith a verb it does not relay, but sees to what the relays do:\n"
        "  status   shards, relays, backlog and what is FAILED; exit 1 when a shard is stopped or has no "
        "living owner\n"
        "  retry    FAILED events are sent again\n"
        "  skip     events that are not sent never will be; needs --reason\n"
        "  pause    nothing more is claimed: of all, of one --topic or of one --shard\n"
        "  resume   the same goes on\n"
        "  reshard  N: from now on there are N shards, while relays and writers run\n"
        "  adopt    this database belongs to this cluster and OUTBOX_NAME from now on, as a new outbox\n"
        "  reconcile  events are settled by what the topics hold, after a restore or the loss of the control "
        "topic;"
        " says only what it would do without --apply\n"
        "Each verb but status leaves a row in outbox_audit. Exit 0 done, 1 refused or failed, 2 bad usage.";
    spec.words_help = fmt::format("{}; without one the relay runs", names);
    spec.options = {
        {"id", "retry, skip: this event"},
        {"event-type", "retry, skip: events of this type; skip: unsent ones as well as FAILED ones"},
        {"failed-since", "retry, skip: events that are FAILED since this time"},
        {"topic", "pause, resume: this topic"},
        {"shard", "pause, resume: this shard"},
        {"reason", "why, for outbox_audit"}};
    spec.switches = {
        {"json", "status: one JSON document"},
        {"apply", "reconcile: do it"},
        {"force",
         "retry: also what breaks the order of a key; skip: also what may be at the broker; reshard: "
         "also while a shard is paused; adopt, reconcile: also when events may be sent again"}};
}

int run_verb(const Arguments& arguments) {
    const auto& words = arguments.words;
    const auto* const verb =
        std::find_if(table.begin(), table.end(), [&](const Verb& each) { return each.name == words[0]; });
    if (verb == table.end()) {
        throw UsageError(fmt::format("{} is not a verb: it must be {}", words[0], names));
    }
    if (words.size() > verb->words) {
        throw UsageError(
            fmt::format("{} is one word too many after {}", words[verb->words], words[verb->words - 1]));
    }
    for (const auto& [name, value] : arguments.options) {
        if (std::find(verb->options.begin(), verb->options.end(), name) == verb->options.end()) {
            throw UsageError(fmt::format("--{} does not belong to {}", name, verb->name));
        }
    }
    return verb->run(arguments);
}

void refuse_options_without_verb(const Arguments& arguments) {
    if (!arguments.options.empty()) {
        throw UsageError(fmt::format("--{} needs a verb: {}", arguments.options.begin()->first, names));
    }
}

} // namespace outbox
