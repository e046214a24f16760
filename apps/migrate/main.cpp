// outbox-migrate: the command line of libs/migrate. What a verb changes is decided and done there; here
// its result is printed, on stdout what a script wants to read, on stderr what a person does.

#include <outbox/core/error.hpp>
#include <outbox/migrate/mapping.hpp>
#include <outbox/migrate/request.hpp>
#include <outbox/migrate/runner.hpp>
#include <outbox/migrate/source.hpp>
#include <outbox/migrate/statements.hpp>
#include <outbox/postgres/options.hpp>

#include <iostream>

using namespace outbox;

namespace {

/// A runner over the files of --dir, or over those that were built into the program.
migrations::Runner make_runner(const Arguments& arguments, const migrations::Request& request) {
    auto files = migrations::migrations_from(request.folder ? migrations::files_in(*request.folder)
                                                            : migrations::embedded_files());
    if (!files) {
        throw Error(Action::stop, files.error().why);
    }
    return {postgres::options_from(arguments.settings, "outbox-migrate"), std::move(*files),
            [](std::string_view line) { std::cerr << "outbox-migrate: " << line << '\n'; }};
}

/// @return the exit code
int tell_unserved(migrations::Runner& runner) {
    const auto lines = runner.unserved();
    for (const std::string& line : lines) {
        std::cerr << "outbox-migrate: " << line << '\n';
    }
    return lines.empty() && std::cout ? 0 : 1;
}

/// @return the exit code: 1 also when a table that is served has rows that do not become events
int run(const Arguments& arguments) {
    const migrations::Request request = migrations::parse_request(arguments);
    print_warnings(migrations::command_line(), arguments);
    if (request.command == migrations::Command::sql) {
        std::cout << migrations::statement_text(request.statement) << std::flush;
        return std::cout ? 0 : 1;
    }
    const auto mapping = migrations::mapping_from(arguments.settings.group("TABLE"));
    migrations::Runner runner = make_runner(arguments, request);
    switch (request.command) {
    case migrations::Command::up:
        if (mapping) {
            runner.check(*mapping, request.mapping); // what is refused later would leave the outbox behind
        }
        runner.up(request.processing, request.sets, request.convert);
        if (mapping) {
            runner.map(*mapping, request.mapping);
        }
        return tell_unserved(runner);
    case migrations::Command::down:
        runner.down(request.count, request.sets, request.yes);
        break;
    case migrations::Command::status:
        std::cout << runner.status(request.sets) << std::flush;
        return tell_unserved(runner);
    case migrations::Command::version:
        std::cout << runner.version(request.sets) << '\n' << std::flush;
        break;
    case migrations::Command::unmap:
        runner.unmap(request.table);
        break;
    case migrations::Command::sql:
        break;
    }
    return std::cout ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    return run_program(migrations::command_line(), argc, argv, run);
}
