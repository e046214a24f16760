#include <outbox/core/error.hpp>
#include <outbox/migrate/request.hpp>

#include <fmt/format.h>

#include <charconv>

namespace outbox::migrations {
namespace {

constexpr auto commands = "up, down [N], status or version";

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
                "  up        apply what is missing; creates the database DB_NAME when it is missing\n"
                "  down [N]  take back the newest N steps, 1 if left out\n"
                "  status    a table of every step\n"
                "  version   the newest applied version",
            .words_help = commands,
            .options = {{"dir", "read the SQL files from this folder, not the embedded ones"},
                        {"processing", "up, on a table that is adopted: what PROCESSING rows mean, resend or "
                                       "sent"}}};
}

Request parse_request(const Arguments& arguments) {
    const auto& words = arguments.words;
    if (words.empty()) {
        throw UsageError(fmt::format("a command is missing: {}; see outbox-migrate --help", commands));
    }
    Request request{.command = command_named(words[0]),
                    .processing = option(arguments, "processing"),
                    .folder = option(arguments, "dir")};
    const std::size_t allowed = request.command == Command::down ? 2 : 1;
    if (words.size() > allowed) {
        throw UsageError(fmt::format("{} is one word too many after {}", words[allowed], words[allowed - 1]));
    }
    if (words.size() == 2) {
        request.count = count_of(words[1]);
    }
    if (request.processing && request.command != Command::up) {
        throw UsageError(fmt::format("--processing belongs to up, not to {}", words[0]));
    }
    if (request.processing && *request.processing != "resend" && *request.processing != "sent") {
        throw UsageError(
            fmt::format("--processing={} is not allowed: it must be resend or sent", *request.processing));
    }
    return request;
}

} // namespace outbox::migrations
