// outbox-chaos: a random campaign of faults that a seed decides, and what became of the events.
#include "campaign.hpp"
#include "verdict.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <exception>
#include <fstream>
#include <iostream>

namespace outbox::chaos {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void interrupt(int /*signal*/) {
    interrupted = 1;
}

std::string lines_of(const std::vector<Step>& plan) {
    std::string lines;
    for (const Step& step : plan) {
        lines += step.text() + '\n';
    }
    return lines;
}

void keep_logs(const support::Stack& stack, const std::filesystem::path& folder) {
    for (const auto& file : std::filesystem::directory_iterator(stack.folder())) {
        if (file.path().extension() == ".log") {
            std::filesystem::copy_file(file, folder / file.path().filename(),
                                       std::filesystem::copy_options::overwrite_existing);
        }
    }
}

void play(const Options& options, const std::vector<Step>& plan, Verdict& verdict,
          const support::Stack& stack, Log& log) {
    Campaign campaign(options, plan, stack, log);
    try {
        campaign.run(interrupted);
        verdict.error = interrupted ? "interrupted" : "";
        if (!interrupted) {
            log("all is up again; every row must be settled now");
            verdict.check = campaign.judge();
            verdict.bad_exits = campaign.stop_relays();
        }
    } catch (const std::exception& error) {
        verdict.error = error.what();
    }
    verdict.played = campaign.played();
    verdict.died = campaign.relays_that_died();
}

std::string log_of(const Options& options, int relay) {
    return (options.folder / fmt::format("relay-{}.log", relay)).string();
}

/// The ends of what explains a bad verdict.
void tell_why(const Options& options) {
    constexpr std::size_t told = 4;
    auto files = std::vector{(options.folder / "campaign.log").string()};
    for (int relay = 1; relay <= options.scale.relays; ++relay) {
        files.push_back(log_of(options, relay));
    }
    for (const std::string& file : files) {
        std::ifstream lines(file);
        std::deque<std::string> last;
        for (std::string line; std::getline(lines, line);) {
            last.push_back(line);
            if (last.size() > told) {
                last.pop_front();
            }
        }
        std::cerr << fmt::format("the end of {}:\n{}\n", file, fmt::join(last, "\n"));
    }
}

/// What programs append to must not be another campaign's.
void clear_folder(const Options& options) {
    std::filesystem::create_directories(options.folder);
    std::filesystem::remove(options.folder / "acknowledged.ids");
    for (int relay = 1; relay <= options.scale.relays; ++relay) {
        std::filesystem::remove(log_of(options, relay));
    }
}

int run(const Options& options) {
    const auto plan = draw_plan(options.scale);
    if (options.only_plan) {
        std::cout << lines_of(plan);
        return 0;
    }
    clear_folder(options);
    std::ofstream(options.folder / "plan.txt") << lines_of(plan);
    std::signal(SIGINT, interrupt);
    std::signal(SIGTERM, interrupt);
    std::cerr << fmt::format("seed {}, {} faults; all is kept in {}\n", options.scale.seed, plan.size(),
                             options.folder.string());
    std::optional<support::Stack> stack(support::Stack::Options{.brokers = options.scale.brokers});
    Log log(options.folder / "campaign.log");
    Verdict verdict{.planned = count_by_kind(plan), .played = {}, .check = {}, .error = {}};
    play(options, plan, verdict, *stack, log);
    if (!verdict.good()) {
        keep_logs(*stack, options.folder);
    }
    const auto line = write_verdict(verdict, options);
    log(line);
    std::cerr << line << '\n';
    if (!verdict.good()) {
        tell_why(options);
    }
    if (!verdict.good() && options.keep_servers) {
        log(fmt::format("the servers go on in {}", stack->folder().string()));
        std::cerr << std::flush;
        _exit(1); // without taking them down
    }
    return verdict.good() ? 0 : 1;
}

} // namespace
} // namespace outbox::chaos

int main(int argc, char** argv) {
    try {
        return outbox::chaos::run(outbox::chaos::parse_options(argc, argv));
    } catch (const std::exception& error) {
        std::cerr << "outbox-chaos: " << error.what() << '\n';
        return 1;
    }
}
