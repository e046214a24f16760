// outbox-relay: the relay of libs/relay with a command line, signals and an exit code; with a verb, the
// operator's tool (verbs.cpp). The process adds nothing to relay::Relay that an embedding service
// lacks.

#include "verbs.hpp"

#include <outbox/core/command_line.hpp>
#include <outbox/monitor/monitor.hpp>
#include <outbox/relay/relay.hpp>
#include <outbox/telemetry/log.hpp>

#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace {

/// The two signals that mean "finish and go": SIGTERM of orchestrators, SIGINT of a terminal.
sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

/// While this lives, SIGTERM and SIGINT ask the relay to end. They are heard on a thread, so nothing runs
/// where a signal happened to strike. Every other thread has them blocked.
class StopOnSignals {
public:
    explicit StopOnSignals(outbox::relay::Relay& relay)
        : thread_([this, &relay] {
              const sigset_t set = ending_signals();
              for (int signal = 0; sigwait(&set, &signal) == 0 && !over_;) {
                  relay.stop();
              }
          }) {}
    StopOnSignals(const StopOnSignals&) = delete;
    StopOnSignals& operator=(const StopOnSignals&) = delete;
    /// Ends the thread by a signal to itself, which sigwait takes like any other.
    ~StopOnSignals() {
        over_ = true;
        pthread_kill(thread_.native_handle(), SIGINT);
        thread_.join();
    }

private:
    std::atomic<bool> over_{false};
    std::thread thread_; ///< the last member: it uses the others
};

/// Runs the relay until a signal or a fault ends it.
/// @return 0; a relay that cannot start throws, and run_program() says why
int relay(const outbox::Arguments& arguments) {
    mallopt(M_ARENA_MAX, 2); // many threads, small memory
    const sigset_t set = ending_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr); // threads inherit it
    outbox::log::configure(arguments.settings, "outbox-relay");
    for (const std::string& warning : arguments.warnings) {
        outbox::log::warn(warning);
    }
    std::optional<outbox::monitor::Monitor> monitor;
    std::vector<std::shared_ptr<outbox::relay::Observer>> observers;
    if (outbox::monitor::Monitor::is_wanted(arguments.settings)) {
        monitor.emplace(arguments.settings);
        observers.push_back(monitor->observer());
        monitor->start();
    }
    auto relay = outbox::relay::relay_of(arguments.settings, std::move(observers));
    const StopOnSignals stop_on_signals(relay);
    relay.start();
    relay.wait();
    if (!relay.drained()) {
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
