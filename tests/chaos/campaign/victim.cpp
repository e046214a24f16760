#include "victim.hpp"

#include <csignal>
#include <fstream>
#include <stdexcept>

namespace outbox::chaos {

void Victim::kill(milliseconds span) {
    end();
    state_ = State::gone;
    due_ = SteadyClock::now() + span;
}

void Victim::hang(milliseconds span) {
    pause();
    state_ = State::hung;
    due_ = SteadyClock::now() + span;
}

void Victim::tend() {
    const bool due = SteadyClock::now() >= due_;
    if (state_ == State::gone && due) {
        start();
        state_ = State::starting;
    } else if (state_ == State::hung && due) {
        resume();
        state_ = State::up;
    } else if (state_ == State::starting && started()) {
        state_ = State::up;
    }
}

// ---- relays

RelayVictim::RelayVictim(support::Command command, std::string log_file)
    : command_(std::move(command)),
      log_file_(std::move(log_file)),
      process_(command_) {}

RelayVictim::~RelayVictim() {
    keep_log(process_->kill().errors);
}

void RelayVictim::end() {
    keep_log(process_->kill().errors + "---- killed\n");
}

void RelayVictim::pause() {
    process_->signal(SIGSTOP);
}

void RelayVictim::resume() {
    process_->signal(SIGCONT);
}

void RelayVictim::start() {
    process_.emplace(command_);
}

int RelayVictim::stop() {
    process_->signal(SIGTERM);
    const auto outcome = process_->wait(Deadline::in(std::chrono::seconds(60)));
    keep_log(outcome.errors + "---- stopped\n");
    return outcome.exit_code;
}

void RelayVictim::keep_log(const std::string& text) const {
    std::ofstream(log_file_, std::ios::app) << text;
}

// ---- servers

ServerVictim::ServerVictim(const support::Stack& stack, std::vector<std::string> words)
    : stack_(stack),
      words_(std::move(words)) {}

std::vector<std::string> ServerVictim::words(const std::string& verb) const {
    auto words = words_;
    words.front() = verb + words.front();
    return words;
}

void ServerVictim::start() {
    starter_.emplace(support::Command{stack_.command(words("start-")), {}});
}

bool ServerVictim::started() {
    if (starter_->running()) {
        return false;
    }
    const auto outcome = starter_->wait(Deadline::in(std::chrono::seconds(1)));
    if (outcome.exit_code != 0) {
        throw std::runtime_error(words_.front() + " does not start: " + outcome.errors);
    }
    return true;
}

} // namespace outbox::chaos
