// A consumer group whose effects are in PostgreSQL exactly once:
//
//   inbox_consumer TOPIC GROUP [INSTANCE]
//
// with KAFKA_BROKERS, DB_HOST, DB_PORT, DB_USER, DB_PASSWORD and DB_NAME in the environment; `run` beside
// this file shows it under kill -9. Start as many as you like, kill any of them at any time. A member that
// fails ends; whoever starts it again need not know why, because all that it knew is in the database.

#include "database.hpp"
#include "group.hpp"

#include <outbox/inbox/inbox.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace example {
namespace {

volatile std::sig_atomic_t stopping = 0;

void make_tables(Database& database) {
    database.transaction([&] {
        database.run("SELECT pg_advisory_xact_lock(7411)"); // members start at once
        database.run(std::string(outbox::Inbox::schema()));
        // No unique key: only the inbox keeps a repeat out.
        database.run("CREATE TABLE IF NOT EXISTS ledger "
                     "(entry bigserial, event_id text NOT NULL, key text NOT NULL, data json NOT NULL)");
    });
}

void apply(Database& database, const outbox::Inbox& inbox, const std::vector<Record>& records) {
    database.transaction([&] {
        for (const auto& record : records) {
            inbox.once(outbox::inbox::Tx(database.session()), record.message, [&] {
                database.run("INSERT INTO ledger (event_id, key, data) VALUES ($1, $2, $3)",
                             {record.message.id, record.key, record.value});
            });
        }
    });
}

void consume(const Membership& membership) {
    Database database;
    make_tables(database);
    const outbox::Inbox inbox(membership.group);
    Group group(membership, [&](const std::string& topic, std::int32_t partition) {
        std::optional<std::int64_t> start;
        database.transaction(
            [&] { start = inbox.next_offset(outbox::inbox::Tx(database.session()), topic, partition); });
        return start;
    });
    while (stopping == 0) {
        const auto records = group.take(100);
        if (!records.empty()) {
            apply(database, inbox, records);
        }
    }
}

} // namespace
} // namespace example

int main(int argc, char** argv) {
    const char* brokers = std::getenv("KAFKA_BROKERS");
    if (argc < 3 || argc > 4 || brokers == nullptr) {
        std::fputs("usage: KAFKA_BROKERS=... inbox_consumer TOPIC GROUP [INSTANCE]\n", stderr);
        return 2;
    }
    const auto stop = [](int) { example::stopping = 1; };
    std::signal(SIGTERM, stop);
    std::signal(SIGINT, stop);
    try {
        example::consume(
            {.brokers = brokers, .group = argv[2], .instance = argc > 3 ? argv[3] : "", .topic = argv[1]});
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "inbox_consumer: %s\n", error.what());
        return 1;
    }
}
