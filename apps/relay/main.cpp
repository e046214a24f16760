#include "verbs.hpp"

#include <outbox/core/command_line.hpp>
#include <outbox/relay/node.hpp>
#include <outbox/telemetry/log.hpp>

#include <malloc.h>
#include <unistd.h>

#include <csignal>

namespace {

outbox::relay::Node* running = nullptr;

void on_signal(int) {
    running->stop();
}

void stop_on_signals(outbox::relay::Node& node) {
    running = &node;
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
}

int relay(const outbox::Arguments& arguments) {
    mallopt(M_ARENA_MAX, 2); // many threads, small memory
    outbox::log::configure(arguments.settings, "outbox-relay");
    for (const std::string& warning : arguments.warnings) {
        outbox::log::warn(warning);
    }
    outbox::relay::Node node(outbox::relay::relay_options(arguments.settings));
    stop_on_signals(node);
    node.run();
    if (!node.drained()) {
        _exit(0); // the drain's deadline has passed: threads that still wait for Kafka or PostgreSQL end with
                  // us
    }
    return 0;
}

int run(const outbox::Arguments& arguments) {
    return arguments.words.empty() ? relay(arguments) : outbox::run_verb(arguments);
}

} // namespace

int main(int argc, char** argv) {
    return outbox::run_program(outbox::command_line(), argc, argv, run);
}
