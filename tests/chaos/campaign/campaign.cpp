#include "campaign.hpp"

#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>

#include <poll.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace outbox::chaos {
namespace {

using namespace std::chrono_literals;

constexpr int shards = 4;
constexpr int events_a_transaction = 100; // many transactions, each a chance
constexpr auto sample_every = 5s;
/// A fault whose victim or request does not come in this time is one that was not played.
constexpr auto patience = 300s;

std::uint16_t port_of(const std::string& address) {
    return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

std::vector<std::uint16_t> broker_ports() {
    std::vector<std::uint16_t> ports;
    std::istringstream addresses(support::required_variable("KAFKA_BROKERS"));
    for (std::string address; std::getline(addresses, address, ',');) {
        ports.push_back(port_of(address));
    }
    return ports;
}

void rest() {
    poll(nullptr, 0, 10);
}

long resident_kilobytes(pid_t process) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            return std::stol(line.substr(line.find_first_of("0123456789")));
        }
    }
    return 0;
}

} // namespace

Campaign::Campaign(const Options& options, std::vector<Step> plan, const support::Stack& stack, Log& log)
    : options_(options),
      to_play_(plan.begin(), plan.end()),
      log_(log),
      network_(std::make_unique<Network>(broker_ports(), port_of(support::required_variable("DB_PORT")))),
      postgres_(std::make_unique<ServerVictim>(stack, std::vector<std::string>{"postgres"})),
      memory_(options.folder / "memory.csv") {
    const auto migrated = support::run({{support::program("outbox-migrate"), "up"}, {}});
    if (migrated.exit_code != 0) {
        throw std::runtime_error("outbox-migrate: " + migrated.errors);
    }
    for (int number = 1; number <= options.scale.brokers; ++number) {
        brokers_.push_back(
            std::make_unique<ServerVictim>(stack, std::vector<std::string>{"kafka", std::to_string(number)}));
    }
    for (int number = 1; number <= options.scale.relays; ++number) {
        relays_.push_back(std::make_unique<RelayVictim>(
            relay(), (options.folder / fmt::format("relay-{}.log", number)).string()));
    }
    memory_ << "seconds,relay,resident_kilobytes\n";
}

support::Command Campaign::relay() const {
    auto variables = network_->variables();
    variables["RELAY_LEASE"] = fmt::format("{}", static_cast<double>(options_.scale.lease.count()) / 1000);
    variables["RELAY_SHARDS"] = std::to_string(shards);
    variables["RELAY_TRANSACTION_EVENTS"] = std::to_string(events_a_transaction);
    return {{support::program("outbox-relay")}, variables};
}

/// A round of about ten seconds; another follows as long as the campaign lasts.
support::Command Campaign::writer() const {
    return {{support::program("outbox-load"), "--events", fmt::format("{:.0f}", options_.rate * 10), "--rate",
             fmt::format("{}", options_.rate), "--keys", "300", "--writers", "4", "--batch", "3", "--topic",
             "chaos-a,chaos-b", "--rollback-percent", "5", "--patience", "300", "--ids",
             (options_.folder / "acknowledged.ids").string()},
            {}};
}

void Campaign::run(const volatile std::sig_atomic_t& interrupted) {
    start_ = SteadyClock::now();
    SteadyClock::time_point moved = start_; // when a fault was played or became due last
    bool provoked = false;
    while (!interrupted && !settled()) {
        const auto before = played_;
        keep_writing();
        tend();
        play_due();
        note_network();
        const bool early = !to_play_.empty() && start_ + to_play_.back().at > SteadyClock::now();
        if (early || played_ != before) {
            moved = SteadyClock::now();
        }
        if (!provoked && to_play_.empty() && SteadyClock::now() - moved > 10s) {
            provoke_what_waits();
            provoked = true;
        }
        if (SteadyClock::now() - moved > patience) {
            log_("what is left of the plan cannot be played");
            break;
        }
        rest();
    }
    end_writing();
}

bool Campaign::settled() const {
    const auto up = [](const auto& victim) { return victim->up(); };
    return to_play_.empty() && network_->waiting().empty() && postgres_->up() &&
           std::all_of(brokers_.begin(), brokers_.end(), up) &&
           std::all_of(relays_.begin(), relays_.end(), up);
}

void Campaign::tend_relays() {
    for (const auto& relay : relays_) {
        relay->tend();
        if (relay->up() && !relay->running()) {
            log_("a relay has ended by itself");
            ++died_;
            relay->kill(0ms);
        }
    }
}

void Campaign::tend() {
    tend_relays();
    for (const auto& victim : brokers_) {
        victim->tend();
    }
    postgres_->tend();
    sample_memory();
}

void Campaign::keep_writing() {
    if (writer_ && writer_->running()) {
        return;
    }
    end_writing();
    writer_.emplace(writer());
}

void Campaign::end_writing() {
    if (!writer_) {
        return;
    }
    const Deadline deadline = Deadline::in(300s);
    while (writer_->running() && !deadline.passed()) {
        tend();
        rest();
    }
    const auto outcome = writer_->wait(Deadline::in(1s));
    writer_.reset();
    if (outcome.exit_code != 0) {
        throw std::runtime_error("outbox-load: " + outcome.output + outcome.errors);
    }
}

void Campaign::sample_memory() {
    if (SteadyClock::now() < next_sample_) {
        return;
    }
    next_sample_ = SteadyClock::now() + sample_every;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(SteadyClock::now() - start_);
    for (std::size_t i = 0; i < relays_.size(); ++i) {
        if (relays_[i]->up()) {
            memory_ << seconds.count() << ',' << i + 1 << ',' << resident_kilobytes(relays_[i]->id()) << '\n'
                    << std::flush;
        }
    }
}

// ---- faults

/// Steps against different victims do not wait for each other.
void Campaign::play_due() {
    for (auto step = to_play_.begin(); step != to_play_.end() && start_ + step->at <= SteadyClock::now();) {
        step = play(*step) ? to_play_.erase(step) : step + 1;
    }
}

bool Campaign::play(const Step& step) {
    if (step.victim == "relay") {
        return strike(step, {relays_.at(static_cast<std::size_t>(step.number - 1)).get()});
    }
    if (step.victim == "postgres") {
        return strike(step, {postgres_.get()});
    }
    if (step.victim == "broker" || step.victim == "brokers") {
        const auto all = brokers();
        const bool ready =
            std::all_of(all.begin(), all.end(), [](const Victim* broker) { return broker->up(); });
        const auto one = all.at(static_cast<std::size_t>(step.number - 1));
        return ready && strike(step, step.victim == "brokers" ? all : std::vector<Victim*>{one});
    }
    log_("lies in wait: " + step.text());
    network_->inject(step);
    return true;
}

bool Campaign::strike(const Step& step, const std::vector<Victim*>& victims) {
    if (!std::all_of(victims.begin(), victims.end(), [](const Victim* victim) { return victim->up(); })) {
        return false;
    }
    for (Victim* victim : victims) {
        if (step.fault == "kill") {
            victim->kill(step.span);
        } else {
            victim->hang(step.span);
        }
    }
    log_("played: " + step.text());
    ++played_[step.kind()];
    return true;
}

void Campaign::note_network() {
    while (const auto done = network_->played()) {
        log_(fmt::format("played: {}; met {}", done->first.text(), done->second));
        ++played_[done->first.kind()];
    }
}

std::vector<Victim*> Campaign::brokers() const {
    std::vector<Victim*> all;
    for (const auto& broker : brokers_) {
        all.push_back(broker.get());
    }
    return all;
}

/// Requests that only a recovery sends come when each relay is started anew.
void Campaign::provoke_what_waits() {
    for (const Step& step : network_->waiting()) {
        log_("still waits: " + step.text());
    }
    for (const auto& relay : relays_) {
        if (relay->up()) {
            relay->kill(0ms);
        }
    }
    log_("all relays start anew, so that they send what is waited for");
}

// ---- afterwards

std::string Campaign::judge() const {
    const auto verdict =
        support::run({{support::program("outbox-check"), "--json", "--wait", "180", "--kafka-deadline", "300",
                       "--expected-ids", (options_.folder / "acknowledged.ids").string()},
                      {}},
                     600s);
    std::ofstream(options_.folder / "check.log") << verdict.errors;
    return verdict.output;
}

int Campaign::stop_relays() {
    return static_cast<int>(
        std::count_if(relays_.begin(), relays_.end(), [](const auto& relay) { return relay->stop() != 0; }));
}

} // namespace outbox::chaos
