// A service with a relay that skips every third event of its outbox; ends at OUTBOX_FAULT's point, or by
// SIGTERM.
#include <outbox/relay/relay.hpp>

#include <csignal>
#include <iostream>

int main() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr); // before other threads start: they inherit it

    outbox::relay::Options options;
    options.on_before_publish = [](outbox::messages::OutgoingEvent& event) {
        if (event.seq() % 3 == 0) {
            event.skip("every third");
        }
    };
    try {
        outbox::relay::Relay relay(std::move(options));
        relay.start();
        int received = 0;
        sigwait(&signals, &received);
        return relay.drain() == 0 ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
