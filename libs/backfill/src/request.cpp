// The command line of outbox-backfill as a Request. A selection's options are written out again in a
// fixed order (`text`): by that text a command that is repeated finds its interrupted run.

#include "outbox/backfill/request.hpp"

#include <outbox/core/error.hpp>
#include <outbox/delivery/settings.hpp>
#include <outbox/kafka/admin.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>

namespace outbox::backfill {
namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t most_ids = 100'000;

/// @throws UsageError naming the option, its value and what is allowed
[[noreturn]] void refuse(const std::string& name, const std::string& value, const std::string& allowed) {
    throw UsageError(fmt::format("--{}={} is not allowed: it must be {}", name, value, allowed));
}

/// A whole number of at least `min`; nullopt where the option was not given.
std::optional<std::int64_t> number(const Arguments& arguments, const std::string& name, std::int64_t min) {
    const auto text = arguments.option(name);
    if (!text) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size() || value < min) {
        refuse(name, *text, fmt::format("a whole number, {} or more", min));
    }
    return value;
}

/// One of the allowed words; the fallback where the option was not given.
std::string choice(const Arguments& arguments, const std::string& name, const std::string& fallback,
                   const std::vector<std::string>& allowed) {
    std::string value = arguments.option(name).value_or(fallback);
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
        refuse(name, value, fmt::format("{}", fmt::join(allowed, ", ")));
    }
    return value;
}

/// The states to be sent again, sorted, each once.
std::vector<std::string> statuses(const Arguments& arguments) {
    const std::string text = arguments.option("status").value_or("SENT");
    static const std::vector<std::string> done{"SENT", "FAILED", "SKIPPED"};
    std::vector<std::string> chosen;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::size_t first = std::min(text.find_first_not_of(' ', at), comma);
        std::string status = text.substr(first, comma - first);
        status.erase(status.find_last_not_of(' ') + 1);
        std::transform(status.begin(), status.end(), status.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        if (std::find(done.begin(), done.end(), status) == done.end()) {
            refuse("status", text,
                   "SENT, FAILED or SKIPPED, or several of them with commas between; the relay has yet to "
                   "deliver "
                   "all others");
        }
        chosen.push_back(status);
        at = comma + 1;
    }
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    return chosen;
}

/// The ids of a file, sorted, each once; blank lines and a byte order mark count for nothing.
std::vector<Uuid> ids_in(const std::string& path) {
    std::ifstream file(path);
    if (!file) {
        throw UsageError(fmt::format("--ids={}: the file cannot be read", path));
    }
    std::vector<Uuid> ids;
    std::string line;
    for (std::size_t at = 1; std::getline(file, line); ++at) {
        if (constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF"; line.starts_with(byte_order_mark)) {
            line.erase(0, byte_order_mark.size());
        }
        const auto first = line.find_first_not_of(" \t\r");
        if (first == std::string::npos) {
            continue;
        }
        const auto id = Uuid::parse(line.substr(first, line.find_last_not_of(" \t\r") + 1 - first));
        if (!id) {
            throw UsageError(fmt::format("--ids={}: line {} is not a UUID", path, at));
        }
        ids.push_back(*id);
        if (ids.size() > most_ids) {
            throw UsageError(fmt::format("--ids={}: more than {} ids", path, most_ids));
        }
    }
    if (ids.empty()) {
        throw UsageError(fmt::format("--ids={}: the file holds no id", path));
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

/// FNV-1a, 64 bits.
std::uint64_t digest(const std::vector<Uuid>& ids) {
    std::uint64_t digest = 14695981039346656037U;
    for (const Uuid& id : ids) {
        for (const std::uint8_t byte : id.bytes()) {
            digest = (digest ^ byte) * 1099511628211U;
        }
    }
    return digest;
}

/// The option as a shell would need it.
void say(std::string& text, const std::string& name, const std::string& value) {
    const bool plain = std::all_of(value.begin(), value.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view("._-:/,+@").find(static_cast<char>(c)) != std::string_view::npos;
    });
    std::string quoted;
    for (const char c : value) {
        quoted += c == '\'' ? "'\\''" : std::string(1, c);
    }
    text += fmt::format("{}--{}={}", text.empty() ? "" : " ", name, plain ? value : "'" + quoted + "'");
}

/// The same for an option that may not have been given.
void say(std::string& text, const std::string& name, const std::optional<std::string>& value) {
    if (value) {
        say(text, name, *value);
    }
}

/// Which events, with the text that makes two selections comparable.
Selection selection_of(const Arguments& arguments) {
    Selection selection;
    auto& filter = selection.filter;
    filter.aggregate_type = arguments.option("aggregate-type");
    filter.aggregate_id = arguments.option("aggregate-id");
    filter.event_type = arguments.option("event-type");
    filter.statuses = statuses(arguments);
    filter.since = arguments.option("since");
    filter.until = arguments.option("until");
    selection.from_seq = number(arguments, "from-seq", 1).value_or(1);
    selection.to_seq = number(arguments, "to-seq", 1).value_or(most);
    selection.limit = number(arguments, "limit", 1);
    if (selection.from_seq > selection.to_seq) {
        throw UsageError(
            fmt::format("--from-seq={} is above --to-seq={}", selection.from_seq, selection.to_seq));
    }
    std::string& text = selection.text;
    say(text, "aggregate-type", filter.aggregate_type);
    say(text, "aggregate-id", filter.aggregate_id);
    say(text, "event-type", filter.event_type);
    say(text, "status", fmt::format("{}", fmt::join(filter.statuses, ",")));
    say(text, "since", filter.since);
    say(text, "until", filter.until);
    if (selection.from_seq > 1) {
        say(text, "from-seq", std::to_string(selection.from_seq));
    }
    if (selection.to_seq < most) {
        say(text, "to-seq", std::to_string(selection.to_seq));
    }
    if (selection.limit) {
        say(text, "limit", std::to_string(*selection.limit));
    }
    if (const auto path = arguments.option("ids")) {
        filter.ids = ids_in(*path);
        say(text, "ids", fmt::format("{}:{:016x}", filter.ids.size(), digest(filter.ids)));
    }
    selection.archive = arguments.option("archive");
    say(text, "archive", selection.archive);
    return selection;
}

/// The relay's messages, but for --format and --partition-strategy. What is not as usual is said in the text.
void read_messages(const Arguments& arguments, Target& target) {
    const Settings& settings = arguments.settings;
    const std::string source = delivery::event_source(settings);
    target.messages = messages::messages_from(settings, source);
    if (const auto& topic = settings.text("RELAY_TOPIC_TEMPLATE"); !target.topic && topic != "${topic}") {
        say(target.text, "relay-topic-template", topic);
    }
    const std::string format = choice(arguments, "format", settings.text("RELAY_FORMAT"),
                                      {"cloudevents", "cloudevents-structured", "debezium", "raw"});
    const bool event_type_header = settings.on("RELAY_DEBEZIUM_EVENT_TYPE");
    target.messages.encoder = messages::make_encoder({format, source, event_type_header});
    say(target.text, "format", format);
    if (format == "debezium" && event_type_header) {
        say(target.text, "relay-debezium-event-type", settings.text("RELAY_DEBEZIUM_EVENT_TYPE"));
    }
    if (const auto strategy = arguments.option("partition-strategy")) {
        target.messages.strategy = partition::parse_strategy("--partition-strategy", *strategy);
        say(target.text, "partition-strategy", *strategy);
        return;
    }
    say(target.text, "partition-strategy", settings.text("RELAY_PARTITION_STRATEGY"));
    for (const auto& [event_type, strategy] : settings.group("PARTITION_STRATEGIES")) {
        say(target.text, "partition_strategies." + event_type, strategy);
    }
}

/// Where to and in which shape, with its text.
Target target_of(const Arguments& arguments) {
    Target target;
    target.topic = arguments.option("topic");
    if (target.topic && !kafka::is_topic_name(*target.topic)) {
        refuse("topic", *target.topic, "1 to 249 letters, digits, '.', '_' and '-'");
    }
    say(target.text, "topic", target.topic);
    read_messages(arguments, target);
    const std::string timestamp = choice(arguments, "timestamp", "now", {"now", "original"});
    target.original_timestamp = timestamp == "original";
    say(target.text, "timestamp", timestamp);
    return target;
}

/// A run's name becomes part of transactional ids, so it keeps to the letters of topic names.
std::string run_name(const std::string& option, const std::string& name) {
    constexpr std::size_t longest = 100;
    if (!kafka::is_topic_name(name) || name.size() > longest) {
        refuse(option, name, fmt::format("1 to {} letters, digits, '.', '_' and '-'", longest));
    }
    return name;
}

/// --max-lag in milliseconds.
milliseconds max_lag_of(const Arguments& arguments, milliseconds fallback) {
    const auto text = arguments.option("max-lag");
    if (!text) {
        return fallback;
    }
    double seconds = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    if (error != std::errc{} || end != text->data() + text->size() || !(seconds > 0 && seconds <= 1e6)) {
        refuse("max-lag", *text, "seconds above 0, fractions allowed");
    }
    return milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

/// An IPv6 address has colons of its own; with a port it stands in brackets.
ReadHost read_host_of(const std::string& text) {
    const bool bracketed = text.starts_with('[');
    const bool bare_address = !bracketed && text.find(':') != text.rfind(':');
    const auto colon = bare_address ? std::string::npos : text.find(':', bracketed ? text.find(']') : 0);
    ReadHost at{text.substr(0, colon), std::nullopt};
    if (bracketed) {
        at.host = at.host.ends_with(']') ? at.host.substr(1, at.host.size() - 2) : "";
    }
    std::uint16_t port = 1;
    if (colon != std::string::npos) {
        at.port = text.substr(colon + 1);
        const char* const last = at.port->data() + at.port->size();
        const auto [end, error] = std::from_chars(at.port->data(), last, port);
        port = error == std::errc{} && end == last ? port : 0;
    }
    if (at.host.empty() || port == 0) {
        refuse("read-host", text, "host, host:port, an IPv6 address or [address]:port");
    }
    return at;
}

/// @pre the first word is a verb of command_line()
void read_verb(const Arguments& arguments, Request& request) {
    const auto& words = arguments.words;
    request.verb = words[0] == "list" ? Verb::list : words[0] == "show" ? Verb::show : Verb::cancel;
    if (request.verb == Verb::list) {
        return;
    }
    if (words.size() < 2) {
        throw UsageError(fmt::format("{} needs the name of a run; outbox-backfill list has them", words[0]));
    }
    request.run = words[1];
}

/// The options of outbox-backfill without a verb.
std::vector<Option> options() {
    return {
        {"aggregate-type", "TYPE", "events of this type of aggregate"},
        {"aggregate-id", "ID", "events of this aggregate"},
        {"event-type", "TYPE", "events of this type"},
        {"status", "STATUS,...", "SENT, FAILED or SKIPPED, or several with commas between; default SENT"},
        {"since", "TIME", "events created at this time or later, as PostgreSQL reads it"},
        {"until", "TIME", "events created before this time"},
        {"from-seq", "NUMBER", "events of this seq or above"},
        {"to-seq", "NUMBER", "events of this seq or below"},
        {"ids", "FILE", "events named in this file, one UUID a line"},
        {"limit", "NUMBER", "the first so many of them"},
        {"archive", "TABLE", "also events that were moved to this table, such as a retired partition"},
        {"topic", "NAME", "where to; default: where the relay sent each event, which needs --yes"},
        {"partition-strategy", "STRATEGY",
         "hash of the key, round-robin, or field:/path in event_data; default: the relay's, by "
         "RELAY_PARTITION_STRATEGY and [partition_strategies]"},
        {"format", "FORMAT",
         "of the messages: cloudevents, cloudevents-structured, debezium or raw; default: RELAY_FORMAT"},
        {"timestamp", "now|original",
         "of the messages: now, or original; default now, because a topic's retention counts from it"},
        {"run", "NAME",
         "name of the run; default: a new one, or that of the same command when it was interrupted"},
        {"rate", "NUMBER", "events a second at most"},
        {"max-lag", "SECONDS", "the run pauses while the relay or a replica is behind by more; default 60"},
        {"read-host", "HOST[:PORT]",
         "host, host:port or [address]:port of a replica of the database to read events from"},
        {"dry-run", "", "counts what would be replayed, and changes nothing"},
        {"yes", "", "consumers of the original topic may see the events again"},
        {"again", "", "once more, although the same command without --run has been done"},
        {"allow-left-out", "", "what was asked for and cannot be sent is named, and does not make it fail"}};
}

} // namespace

CommandLineSpec command_line() {
    return {.program = Program::backfill,
            .name = "outbox-backfill",
            .description =
                "Replays events of the outbox into Kafka, each exactly once a run, in order per key.\n"
                "The same command again goes on where an interrupted run stopped.",
            .options = options(),
            .verbs = {{.name = "list",
                       .words = "",
                       .summary = "the runs, and how far each is",
                       .about = "Changes nothing.",
                       .options = {},
                       .settings = "DB_*, KAFKA_*, OUTBOX_NAME",
                       .exit_codes = "0 done, 1 failed, 2 bad usage",
                       .example = "outbox-backfill list"},
                      {.name = "show",
                       .words = "NAME",
                       .summary = "one run in full, as Kafka knows it",
                       .about = "Changes nothing.",
                       .options = {},
                       .settings = "DB_*, KAFKA_*, OUTBOX_NAME",
                       .exit_codes = "0 done, 1 failed or there is no such run, 2 bad usage",
                       .example = "outbox-backfill show replay-2026-02-03"},
                      {.name = "cancel",
                       .words = "NAME",
                       .summary = "the run ends and cannot go on",
                       .about = "What it has published stays published.",
                       .options = {},
                       .settings = "DB_*, KAFKA_*, OUTBOX_NAME",
                       .exit_codes = "0 done, 1 failed or there is no such run, 2 bad usage",
                       .example = "outbox-backfill cancel replay-2026-02-03"}},
            .exit_codes =
                "0 done, 1 failed, interrupted, nothing matches, something was left out, or an equal run "
                "without --run is done already, 2 bad usage",
            .example = "outbox-backfill --dry-run --aggregate-type=user\n"
                       "outbox-backfill --aggregate-type=user --topic=user-events-replay --run=users-1"};
}

Request parse_request(const Arguments& arguments) {
    Request request;
    if (!arguments.words.empty()) {
        read_verb(arguments, request);
        return request;
    }
    request.dry_run = arguments.options.contains("dry-run");
    request.yes = arguments.options.contains("yes");
    request.again = arguments.options.contains("again");
    request.allow_left_out = arguments.options.contains("allow-left-out");
    if (request.again && arguments.options.contains("run")) {
        throw UsageError("--again does not belong beside --run: another name is another run");
    }
    request.selection = selection_of(arguments);
    request.target = target_of(arguments);
    if (const auto name = arguments.option("run")) {
        request.run = run_name("run", *name);
    }
    request.rate = number(arguments, "rate", 1);
    request.max_lag = max_lag_of(arguments, request.max_lag);
    if (const auto host = arguments.option("read-host")) {
        request.read_host = read_host_of(*host);
    }
    if (!request.target.topic && !request.yes && !request.dry_run) {
        throw UsageError(
            "this replays into the original topic, whose consumers will see the events again: add "
            "--yes, or name another with --topic");
    }
    return request;
}

} // namespace outbox::backfill
