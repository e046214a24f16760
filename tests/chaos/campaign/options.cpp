#include "options.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <random>

namespace outbox::chaos {

Options parse_options(int argc, char** argv) {
    CLI::App app(
        "Relays, a PostgreSQL and a Kafka of its own, writers, and faults drawn from a seed. Plan, logs and "
        "verdict go into\na folder. Exit status: 0 all faults were played, nothing was lost, repeated or out "
        "of order; 1 not so; 2 bad usage.");
    app.name("outbox-chaos");
    app.set_help_flag("--help", "show this and exit");
    Options options;
    Scale& scale = options.scale;
    scale.seed = std::random_device{}();
    double minutes = 30;
    double every = 2;
    app.add_option("--seed", scale.seed, "the same seed and numbers give the same plan (default: a new one)");
    app.add_option("--minutes", minutes, "how long faults are played (default 30)")
        ->check(CLI::PositiveNumber);
    app.add_option("--every", every, "mean seconds between two faults (default 2)")
        ->check(CLI::PositiveNumber);
    app.add_option("--relays", scale.relays, "default 3")->check(CLI::Range(1, 20));
    app.add_option("--brokers", scale.brokers, "1, or a cluster (default 3)")->check(CLI::Range(1, 5));
    app.add_option(
           "--without", scale.without,
           "leave out a victim (relay, broker, brokers, postgres, kafka-link, postgres-link) or a kind "
           "(kill relay)")
        ->delimiter(',');
    app.add_option("--rate", options.rate, "events a second (default 300)")->check(CLI::PositiveNumber);
    app.add_option("--folder", options.folder, "for plan, logs and verdict (default chaos-<seed>)");
    app.add_flag("--plan", options.only_plan, "print the plan and exit");
    app.add_flag("--keep-servers", options.keep_servers, "leave them running when the verdict is bad");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error) == 0 ? 0 : 2);
    }
    scale.length = milliseconds(static_cast<std::int64_t>(minutes * 60'000));
    scale.every = milliseconds(static_cast<std::int64_t>(every * 1000));
    if (options.folder.empty()) {
        options.folder = "chaos-" + std::to_string(scale.seed);
    }
    return options;
}

} // namespace outbox::chaos
