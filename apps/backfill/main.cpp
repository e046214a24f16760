#include <outbox/backfill/program.hpp>
#include <outbox/backfill/request.hpp>
#include <outbox/telemetry/log.hpp>

#include <malloc.h>

#include <atomic>
#include <csignal>

namespace {

std::atomic<bool> stopping{false};

void on_signal(int) {
    stopping = true;
}

void stop_on_signals() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
}

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
