// embedded_relay: a service that pays money in, as lines "ACCOUNT CENTS" on its input say, and delivers its
// events to Kafka itself; ends with its input. Small amounts are nobody's business. The database and the
// brokers are named by outbox-relay's variables (DB_HOST, KAFKA_BROKERS, ...), the writer's connection by
// libpq's (PGHOST, PGDATABASE, ...).
#include <outbox/relay/relay.hpp>
#include <outbox/writer/pqxx.hpp>

#include <cstdint>
#include <exception>
#include <iostream>
#include <pqxx/pqxx>
#include <string>

namespace {

void pay_in(pqxx::connection& connection, const std::string& account, std::int64_t cents) {
    pqxx::work transaction(connection);
    const auto paid = transaction.exec_params("UPDATE accounts SET cents = cents + $2 WHERE id = $1"
                                              " RETURNING json_build_object('cents', $2::bigint)",
                                              account, cents);
    if (paid.empty()) {
        std::cerr << "embedded_relay: no account " << account << '\n';
        return;
    }
    const char* type = cents < 100 ? "money.paid_in.small" : "money.paid_in";
    outbox::add_event(transaction,
                      outbox::Event("account", account, type, paid[0][0].as<std::string>(), "bank-events"));
    transaction.commit();
}

outbox::relay::Options relay_options() {
    outbox::relay::Options options;
    options.on_before_publish = [](outbox::relay::OutgoingEvent& event) {
        if (event.event_type() == "money.paid_in.small") {
            event.skip("below one euro");
            return;
        }
        event.add_header("bank", "embedded");
    };
    return options;
}

} // namespace

int main() {
    try {
        outbox::relay::Relay relay(relay_options());
        relay.start();
        pqxx::connection connection;
        std::string account;
        std::int64_t cents = 0;
        while (std::cin >> account >> cents) {
            pay_in(connection, account, cents);
        }
        // What is not claimed by now is delivered by whoever relays this outbox next.
        return relay.drain() == 0 ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << "embedded_relay: " << error.what() << '\n';
        return 1;
    }
}
