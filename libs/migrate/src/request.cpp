#include <outbox/core/error.hpp>
#include <outbox/migrate/request.hpp>

#include <fmt/format.h>

#include <charconv>

namespace outbox::migrations {
namespace {

constexpr auto commands = "up, down [N], status, version or unmap TABLE";

Command command_named(const std::string& word) {
    if (word == "up") {
        return Command::up;
    }
    if (word == "down") {
        return Command::down;
    }
    if (word == "status") {
        return Command::status;
    }
    if (word == "version") {
        return Command::version;
    }
    if (word == "unmap") {
        return Command::unmap;
    }
    throw UsageError(fmt::format("{} is not a command: it must be {}", word, commands));
}

int count_of(const std::string& word) {
    int count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error != std::errc{} || end != word.data() + word.size() || count < 1) {
        throw UsageError(fmt::format("down {} is not allowed: it must be a whole number from 1", word));
    }
    return count;
}

bool takes_a_word(Command command) {
    return command == Command::down || command == Command::unmap;
}

std::optional<std::string> option(const Arguments& arguments, const std::string& name) {
    const auto found = arguments.options.find(name);
    return found == arguments.options.end() ? std::nullopt : std::optional(found->second);
}

} // namespace

CommandLineSpec command_line() {
    return {.program = Program::migrate,
            .name = "outbox-migrate",
            .description =
                "Brings the outbox's database to a version.\n"
                "  up           apply what is missing; creates the database DB_NAME when it is missing;\n"
                "               with a section [table] in the file of --config: serves that table\n"
                "  down [N]     take back the newest N steps, 1 if left out\n"
                "  status       a table of every step, and the tables of your own that are served\n"
                "  version      the newest applied version\n"
                "  unmap TABLE  serve that table no more",
            .words_help = commands,
            .options = {{"dir", "read the SQL files from this folder, not the embedded ones"},
                        {"processing", "up, on a table that is adopted: what PROCESSING rows mean, resend or "
                                       "sent"},
                        {"existing", "up, when a table begins to be served: what becomes of rows that stand "
                                     "there, send or ignore"},
                        {"publication", "up: take the table over from Debezium, which reads it by this "
                                        "publication"},
                        {"slot", "up: the replication slot of Debezium's connector"}}};
}

namespace {

/// @throws UsageError unless the value is one of the two.
void check_choice(const std::string& option, const std::optional<std::string>& value, const char* one,
                  const char* other) {
    if (value && *value != one && *value != other) {
        throw UsageError(
            fmt::format("--{}={} is not allowed: it must be {} or {}", option, *value, one, other));
    }
}

MapOptions map_options(const Arguments& arguments) {
    MapOptions options{.existing = option(arguments, "existing"), .handover = {}};
    check_choice("existing", options.existing, "send", "ignore");
    const auto publication = option(arguments, "publication");
    const auto slot = option(arguments, "slot");
    if (publication.has_value() != slot.has_value()) {
        throw UsageError(
            "--publication and --slot belong together: Debezium's publication.name and slot.name");
    }
    if (publication && options.existing == "send") {
        throw UsageError(
            "--existing=send is not allowed with --publication: Debezium sends the rows that stand there");
    }
    if (publication) {
        options.handover = {*publication, *slot};
    }
    if ((publication || options.existing) && arguments.settings.group("TABLE").empty()) {
        throw UsageError(
            "--existing and --publication are about a table: --config FILE must name it in [table]");
    }
    return options;
}

} // namespace

Request parse_request(const Arguments& arguments) {
    const auto& words = arguments.words;
    if (words.empty()) {
        throw UsageError(fmt::format("a command is missing: {}; see outbox-migrate --help", commands));
    }
    Request request{.command = command_named(words[0]),
                    .processing = option(arguments, "processing"),
                    .mapping = {},
                    .table = {},
                    .folder = option(arguments, "dir")};
    const std::size_t allowed = takes_a_word(request.command) ? 2 : 1;
    if (words.size() > allowed) {
        throw UsageError(fmt::format("{} is one word too many after {}", words[allowed], words[allowed - 1]));
    }
    if (request.command == Command::unmap) {
        if (words.size() < 2) {
            throw UsageError("unmap needs a table: outbox-migrate status names those that are served");
        }
        request.table = words[1];
    } else if (words.size() == 2) {
        request.count = count_of(words[1]);
    }
    for (const char* name : {"processing", "existing", "publication", "slot"}) {
        if (option(arguments, name) && request.command != Command::up) {
            throw UsageError(fmt::format("--{} belongs to up, not to {}", name, words[0]));
        }
    }
    check_choice("processing", request.processing, "resend", "sent");
    request.mapping = map_options(arguments);
    return request;
}

} // namespace outbox::migrations
