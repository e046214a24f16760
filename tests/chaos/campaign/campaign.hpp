#pragma once

#include "log.hpp"
#include "network.hpp"
#include "options.hpp"
#include "victim.hpp"

#include <outbox/support/stack.hpp>

#include <csignal>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outbox::chaos {

/// One run: servers, relays, writers, and the plan's faults against them.
class Campaign {
public:
    Campaign(const Options& options, std::vector<Step> plan, const support::Stack& stack, Log& log);

    /// Plays the plan; returns when all of it was played, all is up again and the writers have ended, or when
    /// it was interrupted. @throws std::runtime_error when servers do not come back or the writers fail
    void run(const volatile std::sig_atomic_t& interrupted);
    /// Faults that were played, by kind.
    [[nodiscard]] const std::map<std::string, int>& played() const noexcept { return played_; }
    /// How often a relay ended that nobody had ended.
    [[nodiscard]] int relays_that_died() const noexcept { return died_; }
    /// outbox-check's words. Relays go on meanwhile, so that every row can be settled.
    [[nodiscard]] std::string judge() const;
    /// SIGTERM to every relay. @return how many did not end with 0
    int stop_relays();

private:
    [[nodiscard]] support::Command relay() const;
    [[nodiscard]] support::Command writer() const;
    void tend();
    void tend_relays();
    void keep_writing();
    void end_writing();
    void sample_memory();
    void play_due();
    bool play(const Step& step);
    bool strike(const Step& step, const std::vector<Victim*>& victims);
    void note_network();
    [[nodiscard]] bool settled() const;
    [[nodiscard]] std::vector<Victim*> brokers() const;
    void provoke_what_waits();

    const Options& options_;
    std::deque<Step> to_play_;
    Log& log_;
    SteadyClock::time_point start_;
    std::map<std::string, int> played_;
    int died_ = 0;
    std::unique_ptr<Network> network_;
    std::vector<std::unique_ptr<RelayVictim>> relays_;
    std::vector<std::unique_ptr<ServerVictim>> brokers_;
    std::unique_ptr<ServerVictim> postgres_;
    std::optional<support::Process> writer_;
    std::ofstream memory_;
    SteadyClock::time_point next_sample_;
};

} // namespace outbox::chaos
