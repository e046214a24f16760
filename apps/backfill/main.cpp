// outbox-backfill: publishes old events once more. All of it is libs/backfill; here are signals and the
// log.

#include <outbox/backfill/program.hpp>
#include <outbox/backfill/request.hpp>
#include <outbox/telemetry/log.hpp>

#include <malloc.h>

#include <atomic>
#include <csignal>

namespace {

/// Set by SIGTERM or SIGINT. The run looks at it between pages, so a page is published whole or not at
/// all.
std::atomic<bool> stopping{false};

/// Runs where a signal strikes, so it does nothing but set the flag.
void on_signal(int) {
    stopping = true;
}

void stop_on_signals() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
}

/// @return the exit code
int run(const outbox::Arguments& arguments) {
    mallopt(M_ARENA_MAX, 2); // many threads, small memory
    outbox::log::configure(arguments.settings, "outbox-backfill");
    for (const std::string& warning : arguments.warnings) {
        outbox::log::warn(warning);
    }
    stop_on_signals();
    return outbox::backfill::run(arguments, [] { return !stopping; });
}

} // namespace

int main(int argc, char** argv) {
    return outbox::run_program(outbox::backfill::command_line(), argc, argv, run);
}
