#include "options.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>

namespace load {
namespace {

void add_server(CLI::App& app, Options& options) {
    app.add_option("--db-host", options.host)->envname("DB_HOST")->default_val("localhost");
    app.add_option("--db-port", options.port)->envname("DB_PORT")->default_val("5432");
    app.add_option("--db-user", options.user)->envname("DB_USER")->default_val("postgres");
    app.add_option("--db-password", options.password)->envname("DB_PASSWORD");
    app.add_option("--db-name", options.database)->envname("DB_NAME")->default_val("outbox_db");
}

void add_load(CLI::App& app, Options& options, std::string& ids, std::uint64_t& patience) {
    app.add_option("--events", options.events, "events to commit (default 10000)");
    app.add_option("--keys", options.keys, "keys among them (default 1000)")->check(CLI::PositiveNumber);
    app.add_option("--rate", options.rate, "events a second, 0: as fast as possible")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--writers", options.writers, "connections (default 1)")->check(CLI::Range(1, 256));
    app.add_option("--batch", options.batch, "events a transaction (default 1; with --copy 20000)")
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("--size", options.size, "bytes of event_data (default 300)")
        ->check(CLI::Range(1, 100'000'000));
    app.add_option("--topic", options.topics, "one or more; a key stays in one (default user-events)")
        ->delimiter(',');
    app.add_option("--rollback-percent", options.rollback_percent, "transactions that insert and roll back")
        ->check(CLI::Range(0, 99));
    app.add_option("--uuid", ids, "v7 or v4 (default v7)")->check(CLI::IsMember({"v7", "v4"}));
    app.add_option("--ids", options.ids_file, "append the ids of acknowledged commits to this file");
    app.add_option("--key-prefix", options.key_prefix, "default: new for each run, so that n counts from 1");
    app.add_option("--patience", patience,
                   "seconds that the database may be away (default 120; at the start 5)");
    app.add_flag("--copy", options.copy, "fill the table by COPY");
}

} // namespace

Options parse_options(int argc, char** argv) {
    CLI::App app(
        "Writes events into outbox_events. Each key belongs to one writer, whose transactions follow each "
        "other,\nso `seq` and the number n in event_data rise per key in commit order.");
    app.name("outbox-load");
    app.set_help_flag("--help", "show this and exit");
    Options options;
    std::string ids = "v7";
    std::uint64_t patience = 120;
    add_server(app, options);
    add_load(app, options, ids, patience);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error) == 0 ? 0 : 2);
    }
    options.time_ordered_ids = ids == "v7";
    options.patience = std::chrono::seconds(patience);
    if (app.count("--patience") > 0) {
        options.first_patience = options.patience;
    }
    options.writers = std::min(options.writers, options.keys);
    if (options.batch == 0) {
        options.batch = options.copy ? 20'000 : 1;
    }
    if (options.topics.empty()) {
        options.topics = {"user-events"};
    }
    if (options.key_prefix.empty()) {
        options.key_prefix = "load-" + std::to_string(std::random_device{}()) + "-";
    }
    return options;
}

} // namespace load
