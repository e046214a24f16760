// model [--seconds N] [--seed N] [--without CURE] [--schedule SEED]: random schedules of the protocol's
// model.
#include "campaign.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace {

using namespace outbox::model;

Cures cures_from(const std::string& without) {
    if (without.empty()) {
        return {};
    }
    const auto found = std::find_if(cure_names.begin(), cure_names.end(),
                                    [&](const NamedCure& cure) { return cure.name == without; });
    if (found == cure_names.end()) {
        throw CLI::ValidationError("--without", "no such cure: " + without);
    }
    return Cures::without(found->cure);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Plays random schedules of a model of Kafka's transactions, PostgreSQL and several relays.");
    double seconds = 60;
    std::uint64_t seed = std::random_device{}();
    std::optional<std::uint64_t> schedule;
    std::string without;
    app.add_option("--seconds", seconds, "how long");
    app.add_option("--seed", seed,
                   "of the first schedule, else a random one; each next schedule has the next number");
    app.add_option("--schedule", schedule, "play the schedule of this seed alone, and tell what happens");
    app.add_option("--without", without, "with this cure switched off");
    try {
        app.parse(argc, argv);
        const Cures cures = cures_from(without);
        if (schedule) {
            const Schedule one = schedule_of(*schedule);
            fmt::print("{}", tell(one, cures));
            return World(one, cures).play() ? 1 : 0;
        }
        const Campaign campaign = run_campaign(seed, cures, {seconds, 0});
        fmt::print("{}", report(campaign, cures));
        return campaign.failed ? 1 : 0;
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
}
