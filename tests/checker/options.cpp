#include "options.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace checker {
namespace {

void add_servers(CLI::App& app, Options& options) {
    auto& login = options.login;
    app.add_option("--db-host", login.host)->envname("DB_HOST")->default_val("localhost");
    app.add_option("--db-port", login.port)->envname("DB_PORT")->default_val("5432");
    app.add_option("--db-user", login.user)->envname("DB_USER")->default_val("postgres");
    app.add_option("--db-password", login.password)->envname("DB_PASSWORD");
    app.add_option("--db-name", login.name)->envname("DB_NAME")->default_val("outbox_db");
    app.add_option("--kafka-brokers", options.brokers)
        ->envname("KAFKA_BROKERS")
        ->default_val("localhost:9092");
}

struct Raw {
    double wait = 0;
    double kafka_deadline = 60;
    std::string partitioner = "murmur2";
};

void add_questions(CLI::App& app, Options& options, Raw& raw) {
    app.add_option("--topics", options.topics, "topics to read (default: all that outbox_events names)")
        ->delimiter(',');
    app.add_option("--wait", raw.wait, "seconds until every row must be settled (default 0: now)")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--kafka-deadline", raw.kafka_deadline, "seconds to read the topics in (default 60)")
        ->check(CLI::PositiveNumber);
    app.add_option("--partitioner", raw.partitioner, "where records must stand (default murmur2)")
        ->check(CLI::IsMember({"murmur2", "off"}));
    app.add_option("--order-by", options.order_field,
                   "number in event_data that must rise per key, instead of seq");
    app.add_option("--expected-ids", options.expected_ids, "file of ids whose commit was acknowledged")
        ->check(CLI::ExistingFile);
    app.add_flag("--allow-failed", options.rules.allow_failed, "FAILED rows are no fault");
    auto* final =
        app.add_flag("--final", options.rules.final, "unsent rows stay unsent: they must not be in Kafka");
    app.add_flag("--moving", options.moving, "unsent rows are on their way: do not judge them")
        ->excludes(final);
    app.add_flag("--table", options.table, "print a line per event");
    app.add_flag("--json", options.json, "print the verdict as JSON");
}

std::chrono::milliseconds milliseconds_of(double seconds) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

} // namespace

Options parse_options(int argc, char** argv) {
    CLI::App app(
        "Compares outbox_events in PostgreSQL with the records in Kafka, as a read_committed consumer sees "
        "them.\nExit status: 0 every event exactly once and in order, 1 not so, 2 bad usage.");
    app.name("outbox-check");
    app.set_help_flag("--help", "show this and exit");
    Options options;
    Raw raw;
    add_servers(app, options);
    add_questions(app, options, raw);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error) == 0 ? 0 : 2);
    }
    options.wait = milliseconds_of(raw.wait);
    options.kafka_patience = milliseconds_of(raw.kafka_deadline);
    options.rules.murmur2 = raw.partitioner == "murmur2";
    return options;
}

} // namespace checker
