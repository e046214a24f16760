// Wires the relay's HTTP side. Each kind of answer has a thread of its own, so that a health question that
// waits for a server keeps no scrape waiting; /livez needs none.

#include "outbox/monitor/monitor.hpp"

#include "database_sample.hpp"
#include "dependencies.hpp"
#include "health_answers.hpp"
#include "metrics_observer.hpp"
#include "relay_view.hpp"

#include <outbox/core/error.hpp>
#include <outbox/http/server.hpp>
#include <outbox/http/worker_pool.hpp>
#include <outbox/kafka/version.hpp>
#include <outbox/metrics/all_metrics.hpp>
#include <outbox/metrics/process.hpp>
#include <outbox/metrics/route.hpp>
#include <outbox/postgres/sessions.hpp>
#include <outbox/relay/options.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace outbox::monitor {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t queue = 16; ///< requests that wait for an answer of one kind

http::ServerOptions server_options(const Settings& settings) {
    http::ServerOptions options;
    options.address = settings.text("RELAY_HTTP_BIND");
    if (!http::is_address(options.address)) {
        throw UsageError(
            fmt::format("RELAY_HTTP_BIND={} is not allowed: it must be an IPv4 or IPv6 address, or localhost",
                        options.address));
    }
    options.port = static_cast<std::uint16_t>(settings.integer("RELAY_HTTP_PORT"));
    options.named_by = "RELAY_HTTP_PORT and RELAY_HTTP_BIND";
    options.request_timeout = 950ms; // everybody has an answer within a second
    options.idle_timeout = 150s;     // longer than scrapes are apart
    options.max_connections = 64;
    options.max_body = 1024;
    return options;
}

std::vector<std::unique_ptr<http::Dependency>> dependencies(const relay::RelayOptions& options) {
    std::vector<std::unique_ptr<http::Dependency>> all;
    all.push_back(std::make_unique<Database>(options.database));
    all.push_back(std::make_unique<Broker>(options.kafka));
    return all;
}

} // namespace

struct Monitor::Impl {
    Impl(const Settings& settings, const relay::RelayOptions& relay)
        : options(server_options(settings)),
          observed(std::make_shared<Observed>(relay.name)),
          health(dependencies(relay), {1s, 2s, 700ms}),
          database(relay.database, observed->view) {
        observed->registry.add_source([this](metrics::Samples& samples) { sample(samples); });
        add_routes();
    }
    ~Impl() {
        {
            const std::lock_guard lock(mutex);
            over = true;
            ended.notify_all();
        }
        if (listening.joinable()) {
            listening.join();
        }
        if (server) {
            server->drain(Deadline::in(0ms));
        }
        for (auto* const pool : {&metrics_pool, &health_pool, &ready_pool}) {
            pool->stop();
        }
    }

    void sample(metrics::Samples& samples) {
        observed->view.sample(samples);
        database.sample(samples);
        samples.add(metrics::database_connections, static_cast<double>(postgres::open_sessions()));
        metrics::add_build(samples, {kafka::library_version(), postgres::library_version()});
        metrics::add_process(samples);
    }

    void add_routes() {
        metrics::add_route(router, observed->registry, metrics_pool);
        router.add({"GET", "/livez", nullptr, [this](const http::Request&) {
                        return livez(observed->view.loops(SteadyClock::now()));
                    }});
        router.add({"GET", "/readyz", &ready_pool, [this](const http::Request&) {
                        return readyz(health.ask(false), observed->view.draining());
                    }});
        router.add({"GET", "/health", &health_pool, [this](const http::Request&) {
                        const RelayView& view = observed->view;
                        return monitor::health(health.ask(false), view.draining(),
                                               view.loops(SteadyClock::now()), view.owned().size());
                    }});
    }

    /// @return whether it listens now
    bool try_to_listen(bool again) {
        try {
            server = std::make_unique<http::Server>(options, router);
            server->start();
            log::info("metrics and health", {{"address", options.address}, {"port", server->port()}});
            return true;
        } catch (const Error& error) {
            server.reset();
            if (!again) {
                log::warn("no metrics and no health yet; the relay works without, and tries again",
                          {{"reason", error.what()}, {"off", "RELAY_HTTP_PORT=0"}});
            }
            return false;
        }
    }

    void listen() {
        constexpr milliseconds between = 5s;
        bool again = false;
        while (!try_to_listen(again)) {
            again = true;
            std::unique_lock lock(mutex);
            if (ended.wait_for(lock, between, [this] { return over; })) {
                return;
            }
        }
    }

    /// What the relay tells, which may outlive the monitor.
    struct Observed {
        explicit Observed(const std::string& outbox) : registry({{"outbox", outbox}}) {}
        metrics::Registry registry;
        RelayView view;
        MetricsObserver observer{registry, view};
    };

    http::ServerOptions options;
    std::shared_ptr<Observed> observed;
    http::Health health;
    DatabaseSample database;
    http::WorkerPool metrics_pool{1, queue};
    http::WorkerPool health_pool{1, queue};
    http::WorkerPool ready_pool{1, queue};
    http::Router router;
    std::unique_ptr<http::Server> server; ///< the thread's until it has ended
    std::mutex mutex;                     ///< of over
    std::condition_variable ended;
    bool over = false;
    std::thread listening;
};

Monitor::Monitor(const Settings& settings)
    : impl_(std::make_unique<Impl>(settings, relay::relay_options(settings))) {}

Monitor::~Monitor() = default;

bool Monitor::is_wanted(const Settings& settings) {
    return settings.integer("RELAY_HTTP_PORT") != 0;
}

std::shared_ptr<relay::Observer> Monitor::observer() const {
    return {impl_->observed, &impl_->observed->observer};
}

void Monitor::start() {
    impl_->listening = std::thread([this] { impl_->listen(); });
}

} // namespace outbox::monitor
