// outbox-server, the worked example: an HTTP API over users, each change with its event in one
// transaction. This file only wires: settings become objects, the server listens, and at SIGTERM it
// stops taking requests, answers those that it has, and ends. The users API itself is libs/users, HTTP
// is libs/http.

#include "dependencies.hpp"
#include "openapi.hpp"
#include "server_metrics.hpp"

#include <outbox/core/command_line.hpp>
#include <outbox/core/error.hpp>
#include <outbox/http/health.hpp>
#include <outbox/http/server.hpp>
#include <outbox/http/worker_pool.hpp>
#include <outbox/kafka/options.hpp>
#include <outbox/metrics/route.hpp>
#include <outbox/postgres/options.hpp>
#include <outbox/postgres/pool.hpp>
#include <outbox/telemetry/log.hpp>
#include <outbox/users/api.hpp>

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <tuple>

using namespace outbox;

namespace {

/// What outbox-server takes on its command line; it has no verbs.
CommandLineSpec command_line() {
    return {.program = Program::server,
            .name = "outbox-server",
            .description =
                "HTTP API of the worked example: users, each change with its event in one transaction.\n"
                "SIGTERM drains.",
            .exit_codes = "0 stopped as asked, 1 failed, 2 bad usage or a bad setting",
            .example = "PORT=8081 DB_HOST=db.example.org KAFKA_BROKERS=kafka.example.org:9092 outbox-server"};
}

/// SIGTERM and SIGINT, taken by one thread in order; the others never see them.
class StopSignals {
public:
    /// Blocks both signals in this thread, and so in all that start later. Make it before any of
    /// them.
    StopSignals() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGTERM);
        sigaddset(&signals_, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    }
    /// @return whether one came before the deadline.
    [[nodiscard]] bool wait(Deadline deadline) const {
        const auto left = deadline.left().count();
        const timespec span{.tv_sec = left / 1000, .tv_nsec = (left % 1000) * 1'000'000};
        return sigtimedwait(&signals_, nullptr, &span) > 0;
    }

private:
    sigset_t signals_{};
};

/// Every wait for the server ends before the request's deadline, so that it is an answer and not a lost
/// connection.
postgres::ConnectOptions database_options(const Settings& settings) {
    const auto timeout = settings.seconds("SERVER_REQUEST_TIMEOUT");
    auto options = postgres::options_from(settings, "outbox-server");
    options.connect_timeout = timeout;
    options.statement_timeout = timeout * 3 / 4;
    options.lock_timeout = timeout / 2;
    options.idle_in_transaction_timeout = timeout * 2;
    options.own_session = false;
    options.primary = false; // it says so by refusing what would change it
    return options;
}

/// Kafka as a dependency of the health answer. The server itself never writes to Kafka: the relay does.
std::unique_ptr<http::Dependency> event_topic(const Settings& settings) {
    kafka::NewTopic topic;
    topic.name = settings.text("KAFKA_TOPIC");
    topic.partitions = static_cast<std::int32_t>(settings.integer("KAFKA_TOPIC_PARTITIONS"));
    if (settings.has("KAFKA_REPLICATION_FACTOR")) {
        topic.replication = static_cast<std::int32_t>(settings.integer("KAFKA_REPLICATION_FACTOR"));
    }
    if (!kafka::is_topic_name(topic.name)) {
        throw UsageError(
            fmt::format("KAFKA_TOPIC={} is not allowed: it must be 1 to 249 of a-z, A-Z, 0-9, '.', '_' "
                        "and '-'",
                        topic.name));
    }
    return std::make_unique<EventTopic>(kafka::client_options(settings, "outbox-server"), std::move(topic),
                                        settings.on("KAFKA_CREATE_TOPICS"));
}

/// Both dependencies, asked at most once a second however often /health is called.
http::Health make_health(const Settings& settings) {
    constexpr milliseconds fresh_for{1'000};
    constexpr milliseconds answer_within{800};
    const milliseconds check_timeout =
        std::min(settings.seconds("SERVER_REQUEST_TIMEOUT") / 3, milliseconds(2'000));
    std::vector<std::unique_ptr<http::Dependency>> dependencies;
    dependencies.push_back(std::make_unique<Database>(database_options(settings)));
    dependencies.push_back(event_topic(settings));
    return http::Health(std::move(dependencies),
                        {fresh_for, check_timeout, std::min(check_timeout, answer_within)});
}

/// A worker each: /readyz does not wait for /health, which may wait for Kafka.
struct OwnWorkers {
    http::WorkerPool health{1, 64};
    http::WorkerPool readiness{1, 64};
    http::WorkerPool metrics{1, 64};
};

/// /health tells all, /readyz what a load balancer needs, /livez only that the process answers.
void add_health_routes(http::Router& router, http::Health& health, OwnWorkers& workers) {
    router.add(
        {"GET", "/health", &workers.health, [&health](const http::Request&) { return health.report(); }});
    router.add({"GET", "/readyz", &workers.readiness,
                [&health](const http::Request&) { return health.readiness(); }});
    router.add({"GET", "/livez", nullptr, [](const http::Request&) {
                    return http::Response{200, "application/json", R"({"status":"up"})", {}};
                }});
}

void add_openapi_route(http::Router& router) {
    router.add({"GET", "/openapi.yaml", nullptr, [](const http::Request&) {
                    return http::Response{200, "application/yaml", std::string(openapi_document), {}};
                }});
}

/// /test/crash is for demonstrations. Nobody outside of this machine may reach it by accident.
bool test_api_wanted(const Settings& settings) {
    const std::string& wish = settings.text("SERVER_TEST_API");
    return wish == "on" || (wish == "auto" && http::is_loopback(settings.text("SERVER_BIND")));
}

/// HTTP's limits from the settings, checked against each other.
/// @throws UsageError naming the setting
http::ServerOptions server_options(const Settings& settings) {
    http::ServerOptions options;
    options.address = settings.text("SERVER_BIND");
    if (!http::is_address(options.address)) {
        throw UsageError(
            fmt::format("SERVER_BIND={} is not allowed: it must be an IPv4 or IPv6 address, or localhost",
                        options.address));
    }
    options.port = static_cast<std::uint16_t>(settings.integer("PORT"));
    const auto size = [&settings](std::string_view name) {
        return static_cast<std::size_t>(settings.integer(name));
    };
    options.request_timeout = settings.seconds("SERVER_REQUEST_TIMEOUT");
    options.header_timeout = settings.seconds("SERVER_HEADER_TIMEOUT");
    options.body_timeout = settings.seconds("SERVER_BODY_TIMEOUT");
    options.idle_timeout = settings.seconds("SERVER_IDLE_TIMEOUT");
    options.max_connections = size("SERVER_MAX_CONNECTIONS");
    options.max_header = size("SERVER_MAX_HEADER");
    options.max_body = size("SERVER_MAX_BODY");
    options.max_bodies = size("SERVER_MAX_BODIES");
    if (options.max_bodies < options.max_body) {
        throw UsageError(
            fmt::format("SERVER_MAX_BODIES={} is not allowed: it must be at least SERVER_MAX_BODY={}",
                        options.max_bodies, options.max_body));
    }
    return options;
}

/// Meanwhile asks every second until each dependency has been there once; the first time makes the topic.
void wait_until_told(const StopSignals& signals, http::Health& health, http::WorkerPool& pool) {
    const auto ready = std::make_shared<std::atomic<bool>>(false);
    do {
        const auto ask = [&health, ready] { *ready = health.report().status == 200; };
        if (!*ready) {
            std::ignore = pool.try_submit({Deadline::in(std::chrono::seconds(1)), ask, [] {}});
        }
    } while (!signals.wait(Deadline::in(std::chrono::seconds(1))));
}

/// The whole life of the server. Objects are made in the order in which they need each other, and go
/// the other way round: workers end before the pool of connections and the service that they use.
int run(const Arguments& arguments) {
    const Settings& settings = arguments.settings;
    log::configure(settings, "outbox-server");
    for (const std::string& warning : arguments.warnings) {
        log::warn(warning);
    }
    const StopSignals signals; // before any thread starts

    const auto workers = static_cast<std::size_t>(settings.integer("SERVER_WORKERS"));
    ServerMetrics metrics(settings.has("OUTBOX_NAME") ? settings.text("OUTBOX_NAME")
                                                      : settings.text("DB_NAME"));
    postgres::Pool connections(database_options(settings), workers,
                               [&metrics](SteadyClock::duration span) { metrics.waited(span); });
    users::UserService service(
        connections,
        {settings.text("KAFKA_TOPIC"), static_cast<std::int32_t>(settings.integer("RELAY_MAX_RETRIES"))});
    http::Health health = make_health(settings);

    http::WorkerPool database_pool(workers, static_cast<std::size_t>(settings.integer("SERVER_QUEUE")));
    OwnWorkers workers_of_answers;
    http::Router router;
    users::add_user_routes(router, service, database_pool);
    if (test_api_wanted(settings)) {
        const bool exits = settings.text("SERVER_TEST_CRASH") == "exit";
        users::add_crash_route(router, service, database_pool,
                               exits ? users::Crash::exit : users::Crash::answer);
    }
    add_health_routes(router, health, workers_of_answers);
    add_openapi_route(router);
    metrics.watch(database_pool);
    metrics::add_route(router, metrics.registry(), workers_of_answers.metrics);

    http::ServerOptions options = server_options(settings);
    options.observer = &metrics;
    http::Server server(std::move(options), router);
    server.start();
    log::info("listening", {{"address", settings.text("SERVER_BIND")}, {"port", server.port()}});
    wait_until_told(signals, health, workers_of_answers.health);

    // Drain: no new connections, requests in work are answered, at most one request's deadline and
    // a second more.
    log::info("stopping");
    const auto left =
        server.drain(Deadline::in(settings.seconds("SERVER_REQUEST_TIMEOUT") + std::chrono::seconds(1)));
    database_pool.stop();
    workers_of_answers.health.stop();
    workers_of_answers.readiness.stop();
    workers_of_answers.metrics.stop();
    log::info("stopped", {{"unanswered", left}});
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return run_program(command_line(), argc, argv, run);
}
