#include "outbox/relay/relay.hpp"

#include "node/node.hpp"
#include "observe/log_observer.hpp"
#include "observe/observers.hpp"
#include "observe/signal_observer.hpp"

#include <outbox/core/error.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace outbox::relay {
namespace {

const char* from_environment(const char* name) {
    return std::getenv(name); // NOLINT(concurrency-mt-unsafe): the service does not change it meanwhile
}

const char* from_nowhere(const char* /*name*/) {
    return nullptr;
}

Settings settings_of(const Options& options) {
    constexpr std::string_view producer = "KAFKA_PRODUCER_";
    ConfigFile file = options.config_file.empty() ? ConfigFile{} : read_config_file(options.config_file);
    if (options.environment) {
        add_group_variables(file);
    }
    for (const auto& [name, value] : options.settings) {
        const bool known = std::ranges::any_of(all_settings(), [&name = name](const Setting& setting) {
            return setting.name == name && setting.belongs_to(Program::relay);
        });
        if (name.starts_with(producer)) {
            file.groups["KAFKA_PRODUCER"][name.substr(producer.size())] = value;
        } else if (!known) {
            throw UsageError(fmt::format("{} is not a setting of a relay", name));
        }
    }
    return Settings::load(Program::relay, options.settings,
                          options.environment ? from_environment : from_nowhere, file);
}

RelayOptions node_options(const Settings& settings, Options options) {
    RelayOptions result = relay_options(settings);
    result.messages.before_publish = std::move(options.on_before_publish);
    if (options.partition_strategy) {
        result.messages.strategy = std::move(options.partition_strategy);
    }
    result.make_lane = std::move(options.make_lane);
    return result;
}

std::vector<std::shared_ptr<Observer>> with_own(bool says_why_it_ends,
                                                std::vector<std::shared_ptr<Observer>> others) {
    // The log speaks before a test hears, so that what a test waits for stands there.
    others.insert(others.begin(),
                  {std::make_shared<LogObserver>(says_why_it_ends), std::make_shared<SignalObserver>()});
    return others;
}

} // namespace

struct Relay::Impl {
    Impl(RelayOptions options, bool says_why_it_ends, std::vector<std::shared_ptr<Observer>> others)
        : observers(with_own(says_why_it_ends, std::move(others))),
          node(std::move(options), observers) {}

    void run() noexcept {
        try {
            left = node.run();
        } catch (const std::exception& error) {
            observers.gave_up(error.what());
            failure = std::current_exception();
        }
        running = false;
    }

    Observers observers; ///< outlives the node's threads
    Node node;
    std::atomic<bool> running{false};
    std::mutex mutex;   ///< of thread
    std::thread thread; ///< runs once
    bool started = false;
    std::size_t left = 0;       ///< written before the thread ends
    std::exception_ptr failure; ///< written before the thread ends
};

Relay::Relay(Options options) {
    const Settings settings = settings_of(options);
    log::configure(settings, "outbox-relay", options.log);
    auto observers = std::move(options.observers);
    impl_ = std::make_unique<Impl>(node_options(settings, std::move(options)), true, std::move(observers));
}

Relay::Relay(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Relay relay_of(const Settings& settings, std::vector<std::shared_ptr<Observer>> observers) {
    return Relay(std::make_unique<Relay::Impl>(relay_options(settings), false, std::move(observers)));
}

Relay::~Relay() {
    try {
        drain();
    } catch (const std::exception&) { // it was logged when it happened
    }
}

void Relay::start() {
    const std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->started, true)) {
        throw std::logic_error("a relay starts once");
    }
    impl_->running = true;
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

void Relay::stop() noexcept {
    impl_->node.stop();
}

std::size_t Relay::drain() {
    stop();
    return wait();
}

std::size_t Relay::wait() {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->thread.joinable()) {
        impl_->thread.join();
    }
    if (impl_->failure) {
        std::rethrow_exception(impl_->failure);
    }
    return impl_->left;
}

bool Relay::drained() const noexcept {
    return impl_->node.drained();
}

bool Relay::running() const noexcept {
    return impl_->running;
}

} // namespace outbox::relay
