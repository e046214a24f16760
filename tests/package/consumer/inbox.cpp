// Every public header of the inbox; needs no server.
#include <outbox/core/error.hpp>
#include <outbox/core/handle.hpp>
#include <outbox/inbox/inbox.hpp>
#include <outbox/postgres/error.hpp>

#include <iostream>

int main() {
    const outbox::Inbox inbox("billing");
    const auto turn = [&](const char* id) {
        inbox.once(outbox::inbox::Tx(nullptr), {"user-events", 2, 7, id}, [] { std::cout << "ran\n"; });
    };
    try {
        turn("");
    } catch (const outbox::Error& error) {
        std::cout << error.what() << '\n';
    }
    try {
        turn("an id, but no session");
    } catch (const outbox::postgres::DatabaseError& error) {
        std::cout << (error.action() == outbox::Action::reconnect) << '\n';
    }
}
