// The command line of outbox-migrate: its verbs and options as one table, and what was typed as a
// Request.

#include <outbox/core/error.hpp>
#include <outbox/migrate/request.hpp>

#include <fmt/format.h>

#include <charconv>

namespace outbox::migrations {
namespace {

/// @pre it is a verb of command_line()
Command command_named(const std::string& word) {
    return word == "up"       ? Command::up
           : word == "down"   ? Command::down
           : word == "status" ? Command::status
           : word == "unmap"  ? Command::unmap
           : word == "sql"    ? Command::sql
                              : Command::version;
}

/// @throws UsageError for what is no number of steps
int count_of(const std::string& word) {
    int count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error != std::errc{} || end != word.data() + word.size() || count < 1) {
        throw UsageError(fmt::format("down {} is not allowed: it must be a whole number from 1", word));
    }
    return count;
}

} // namespace

CommandLineSpec command_line() {
    const Option folder{"dir", "FOLDER", "read the SQL files from this folder, not the embedded ones"};
    const Option set{"set", "outbox|example|all",
                     "only the outbox's steps, or only those of the worked example (outbox-server's tables)"};
    const auto exit_codes = "0 done, 1 refused or failed, 2 bad usage";
    return {
        .program = Program::migrate,
        .name = "outbox-migrate",
        .description = "Brings the outbox's database to a version.",
        .verbs = {{.name = "up",
                   .words = "",
                   .summary = "apply what is missing; creates the database DB_NAME when it is missing",
                   .about = "All or nothing. The worked example is left out where other tables have the "
                            "names of its own, "
                            "users and idempotency_keys. A section [table] in the file of --config serves "
                            "that table of "
                            "your own.",
                   .options = {folder,
                               set,
                               {"processing", "resend|sent",
                                "on a table that is adopted: what PROCESSING rows mean"},
                               {"convert", "",
                                "on a table that is adopted: columns of other types are converted, where "
                                "nothing is lost by it"},
                               {"existing", "send|ignore",
                                "when a table begins to be served: what becomes of rows that stand there"},
                               {"publication", "NAME",
                                "take the table over from Debezium, which reads it by this publication"},
                               {"slot", "NAME", "the replication slot of Debezium's connector"}},
                   .settings = "DB_*",
                   .exit_codes = exit_codes,
                   .example = "outbox-migrate up\noutbox-migrate up --config outbox.toml --existing=ignore"},
                  {.name = "down",
                   .words = "[N]",
                   .summary = "take back the newest N steps, 1 if left out",
                   .about =
                       "All of them or nothing. A table that stood there before stays. Refused while a relay "
                       "lives or a table of your own is served.",
                   .options = {folder, set, {"yes", "", "also where rows are lost"}},
                   .settings = "DB_*",
                   .exit_codes = exit_codes,
                   .example = "outbox-migrate down 2"},
                  {.name = "status",
                   .words = "",
                   .summary = "a table of every step, and the tables of your own that are served",
                   .about = "Changes nothing.",
                   .options = {folder, set},
                   .settings = "DB_*",
                   .exit_codes = exit_codes,
                   .example = "outbox-migrate status"},
                  {.name = "version",
                   .words = "",
                   .summary = "the newest applied version",
                   .about = "Changes nothing.",
                   .options = {folder, set},
                   .settings = "DB_*",
                   .exit_codes = exit_codes,
                   .example = "outbox-migrate version"},
                  {.name = "unmap",
                   .words = "TABLE",
                   .summary = "serve that table no more",
                   .about = "`outbox-migrate status` names the tables that are served. Events that were "
                            "captured are still sent.",
                   .options = {folder},
                   .settings = "DB_*",
                   .exit_codes = exit_codes,
                   .example = "outbox-migrate unmap public.outbox"},
                  {.name = "sql",
                   .words = "[NAME]",
                   .summary = "print a statement of the programs for psql; without a name: list the names",
                   .about =
                       "Needs no database. A statement is printed as a PREPARE where PostgreSQL has that "
                       "for it: type EXECUTE "
                       "NAME (values) after it.",
                   .options = {},
                   .settings = "DB_*",
                   .exit_codes = exit_codes,
                   .example = "outbox-migrate sql outbox_take_shard"}},
        .needs_verb = true,
        .exit_codes = exit_codes,
        .example = "DB_HOST=db.example.org outbox-migrate up"};
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

/// Both sets unless one is named.
Sets sets_of(const Arguments& arguments) {
    const auto set = arguments.option("set");
    if (set && *set != "outbox" && *set != "example" && *set != "all") {
        throw UsageError(fmt::format("--set={} is not allowed: it must be outbox, example or all", *set));
    }
    return {.outbox = set != "example", .example = set != "outbox", .named = set.has_value()};
}

/// What `up` does with a table of the user's own; options that contradict each other are refused.
MapOptions map_options(const Arguments& arguments) {
    MapOptions options{.existing = arguments.option("existing"), .handover = {}};
    check_choice("existing", options.existing, "send", "ignore");
    const auto publication = arguments.option("publication");
    const auto slot = arguments.option("slot");
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
    Request request{.command = command_named(words[0]),
                    .sets = sets_of(arguments),
                    .yes = arguments.given("yes"),
                    .processing = arguments.option("processing"),
                    .convert = arguments.given("convert"),
                    .mapping = {},
                    .table = {},
                    .statement = {},
                    .folder = arguments.option("dir")};
    if (!request.sets.outbox && !arguments.settings.group("TABLE").empty() &&
        request.command == Command::up) {
        throw UsageError("--set=example does not go with a section [table]: tables are served by the outbox");
    }
    if (request.command == Command::unmap) {
        if (words.size() < 2) {
            throw UsageError("unmap needs a table: outbox-migrate status names those that are served");
        }
        request.table = words[1];
    } else if (request.command == Command::sql) {
        if (words.size() == 2) {
            request.statement = words[1];
        }
    } else if (words.size() == 2) {
        request.count = count_of(words[1]);
    }
    check_choice("processing", request.processing, "resend", "sent");
    request.mapping = map_options(arguments);
    return request;
}

} // namespace outbox::migrations
